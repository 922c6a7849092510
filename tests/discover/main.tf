terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
variable "endpoint" {}
provider "aws" {
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
  s3_use_path_style           = true
  endpoints {
    autoscaling = var.endpoint
    dynamodb    = var.endpoint
    ec2         = var.endpoint
    ecr         = var.endpoint
    elbv2       = var.endpoint
    iam         = var.endpoint
    lambda      = var.endpoint
    rds         = var.endpoint
    route53     = var.endpoint
    s3          = var.endpoint
    secretsmanager = var.endpoint
    sqs         = var.endpoint
    ssm         = var.endpoint
    sts         = var.endpoint
  }
}
module "data" {
  source = "./data"
}
resource "aws_vpc" "main" {
  cidr_block = "10.64.0.0/16"
}
resource "aws_subnet" "private" {
  count             = 2
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.64.${count.index}.0/24"
  availability_zone = "us-east-1${element(["a", "b"], count.index)}"
}
resource "aws_security_group" "serving" {
  name   = "serving"
  vpc_id = aws_vpc.main.id
}
resource "aws_iam_role" "serving" {
  name               = "serving"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }] })
}
resource "aws_iam_instance_profile" "serving" {
  name = "serving"
  role = aws_iam_role.serving.name
}
resource "aws_launch_template" "serving" {
  name          = "serving"
  image_id      = "ami-12c6146b"
  instance_type = "g5.xlarge"
  user_data     = base64encode("#!/bin/sh\nexport TOKEN=planted-secret-1\n")
}
resource "aws_lb" "serving" {
  name               = "serving"
  load_balancer_type = "application"
  subnets            = aws_subnet.private[*].id
}
resource "aws_autoscaling_group" "serving" {
  name                = "acme-serving"
  min_size            = 1
  max_size            = 4
  desired_capacity    = 2
  vpc_zone_identifier = aws_subnet.private[*].id
  launch_template {
    id      = aws_launch_template.serving.id
    version = "$Latest"
  }
}
resource "aws_sqs_queue" "jobs" {
  for_each = toset(["images", "texts"])
  name     = "acme-${each.key}"
}
resource "aws_ssm_parameter" "token" {
  name  = "/acme/token"
  type  = "SecureString"
  value = "planted-secret-2"
}
resource "aws_ecr_repository" "serving" {
  name = "acme/serving"
}
