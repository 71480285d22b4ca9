//! What workers and the pool run, in their own terms: they know neither requests nor routes.

use std::sync::Arc;

use pyo3::prelude::*;

use super::asyncio_loop::AsyncioLoop;
use super::callback::Handle;
use super::inline_policy::InlinePolicy;

/// A call of a handler, which is dispatched to a thread. Always boxed, so that handing it on moves a pointer.
pub(crate) trait Work: Send + Sized + 'static {
    type Route: Policies;

    fn route(&self) -> &Arc<Self::Route>;

    /// The worker that it is for.
    fn worker_id(&self) -> usize;

    fn set_worker_id(&mut self, worker_id: usize);

    /// Runs a sync handler to its end. Called by a thread of the pool, or the worker's own.
    fn run_sync(self: Box<Self>, py: Python<'_>);

    /// Starts a coroutine handler as a task of the running loop. Called in the loop's thread.
    fn start_async(self: Box<Self>, py: Python<'_>, asyncio_loop: &AsyncioLoop);

    /// Answers where there is no thread for it.
    fn refuse(self: Box<Self>);
}

/// What a route says, and what has been measured, of its functions.
pub(crate) trait Policies: Send + Sync + 'static {
    /// Whether its handler is a coroutine function.
    fn is_async(&self) -> bool;

    /// Whether its coroutines run on the first worker's loop, and never on another one.
    fn one_loop(&self) -> bool;

    /// Of its sync handler.
    fn inline_policy(&self) -> &Arc<InlinePolicy>;

    /// Of sync functions that are called after a protocol switch.
    fn upgraded_policy(&self) -> &Arc<InlinePolicy>;
}

/// A Rust function that needs the interpreter.
pub(crate) type NativeCall = Box<dyn FnOnce(Python<'_>) + Send>;

/// What a worker's thread can be given to do.
pub(crate) enum WorkItem<W: Work> {
    /// Run a sync handler that is known to be fast.
    SyncHandler(Box<W>),
    /// Call another sync function that is known to be fast.
    SyncCall(SyncCall<W::Route>),
    /// Start a coroutine handler.
    AsyncHandler(Box<W>),
    /// Run a callback of `loop.call_soon`.
    Callback(Py<Handle>),
    /// Call a Rust function that belongs on the loop's thread.
    LoopCall(NativeCall),
}

/// What a pool thread can be given to do.
pub(crate) enum PoolWork<W: Work> {
    /// Run a handler.
    Handler(Box<W>),
    /// Call a sync function that may turn out to be fast.
    SyncCall(SyncCall<W::Route>),
    /// Run a Rust function that needs the interpreter and may take long.
    Native(NativeCall),
}

/// A call of a sync function, after a protocol switch by `route`.
pub(crate) struct SyncCall<R> {
    pub(crate) call: NativeCall,
    pub(crate) route: Arc<R>,
}

/// The loops of a server's workers, for those who only have something to be called there.
pub(crate) trait CallInLoop: Send + Sync {
    /// Queues `call` for the thread of the worker's loop.
    fn call_in_loop(&self, worker_id: usize, call: NativeCall);
}

/// The pool, for those who only have something to be called there.
pub(crate) trait CallInPool: Send + Sync {
    /// Queues `call` for a thread of the pool. False when that would be too much.
    fn call_in_pool(self: Arc<Self>, call: NativeCall) -> bool;
}
