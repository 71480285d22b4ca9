//! Where a worker's tasks run: an executor that one thread drives at a time.

mod executor;
mod park;
mod spawner;

pub use executor::Executor;
pub use spawner::Spawner;
