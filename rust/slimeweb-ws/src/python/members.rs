//! The members of a room, as the members themselves see it.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

/// Who is in a room. By address: a member leaves before it is freed.
pub(super) struct Members<T>(Mutex<HashMap<usize, Weak<T>>>);

impl<T> Default for Members<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Members<T> {
    pub(super) fn add(&self, member: &Arc<T>) {
        self.0.lock().insert(key(member), Arc::downgrade(member));
    }

    pub(super) fn remove(&self, member: &Arc<T>) {
        self.0.lock().remove(&key(member));
    }

    pub(super) fn contains(&self, member: &Arc<T>) -> bool {
        self.0.lock().contains_key(&key(member))
    }

    pub(super) fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// Those that are there now.
    pub(super) fn all(&self) -> Vec<Arc<T>> {
        self.0.lock().values().filter_map(Weak::upgrade).collect()
    }
}

fn key<T>(member: &Arc<T>) -> usize {
    Arc::as_ptr(member) as usize
}
