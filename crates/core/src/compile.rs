//! Compile: stack and facts in, graph out; pure.
