//! Values that services cache between their calls, by type, so that no list of services has to name
//! them.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// One value of each type, created at its first use.
#[derive(Default)]
pub(crate) struct Shared(Mutex<BTreeMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl Shared {
    /// Returns the value of this type.
    pub(crate) fn get<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        self.get_or(T::default)
    }

    /// Returns the value of this type, created by `make` if there is none.
    pub(crate) fn get_or<T: Send + Sync + 'static>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        // A panic elsewhere leaves whole entries: each call is one operation on the map.
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = all.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(make()));
        // The key is the type, so its value has that type.
        Arc::clone(entry).downcast().unwrap_or_else(|_| unreachable!("a value of another type"))
    }

    /// Removes all values.
    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_one_value_until_all_are_forgotten() {
        let shared = Shared::default();
        *shared.get::<Mutex<u8>>().lock().unwrap() = 7;
        assert_eq!(*shared.get::<Mutex<u8>>().lock().unwrap(), 7);
        assert_eq!(*shared.get::<Mutex<u16>>().lock().unwrap(), 0);
        shared.clear();
        assert_eq!(*shared.get::<Mutex<u8>>().lock().unwrap(), 0);
    }
}
