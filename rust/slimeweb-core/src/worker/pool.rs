//! The pool: a bounded number of Python threads for handlers that block, or may.
//!
//! A few threads serve handlers that compute: more would only fight over the cores (and, on a GIL build, over the GIL).
//! Work that has waited longer than [`GROWTH_DELAY`] shows that the threads are blocked, unless they are seen to
//! compute; then the pool grows at once by as many as are waiting, up to its limit. Threads that had nothing to do for
//! `idle_timeout` end, and the thread that was idle for the shortest time gets the next work, so that the others become
//! idle for long enough to end.
//!
//! A thread that waits for its client ([`super::waiting`]) does not count for the limit: another one may be started in
//! its place. When the wait is over there may be more threads than the limit; then those that come to the end of their
//! work end.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use pyo3::prelude::*;

use super::cpu_time::ThreadCpuTimes;
use super::inline_policy::Sample;
use super::waiting::{self, Absence};
use super::work::{CallInPool, NativeCall, Policies, PoolWork, SyncCall, Work};

/// How long work waits before the pool's threads count as blocked.
const GROWTH_DELAY: Duration = Duration::from_millis(4);
/// How long work waits behind threads that compute: the system shares the cores more fairly between threads than a
/// queue does.
const GROWTH_DELAY_COMPUTING: Duration = Duration::from_millis(32);
/// What CPython gives its own threads on most systems; reserved, not used, until touched.
const STACK: usize = 8 << 20;

/// The pool's threads are busy and its queue is at its limit.
pub(crate) struct Full<W: Work>(pub(crate) PoolWork<W>);

pub(crate) struct Pool<W: Work> {
    state: Mutex<State<W>>,
    /// Work waits for a thread: wakes the growth thread.
    waiting: Condvar,
    /// A thread has ended.
    ended: Condvar,
    core: usize,
    limit: usize,
    capacity: usize,
    /// How long a thread beyond the core ones stays without work.
    idle_timeout: Duration,
}

struct State<W: Work> {
    queue: VecDeque<(Instant, PoolWork<W>)>,
    /// Threads that wait for work, the one that came last at the end: it is woken first.
    idle: Vec<Arc<Condvar>>,
    /// Threads that have been woken and have not looked for work since.
    waking: usize,
    /// Threads there are.
    threads: usize,
    /// Those of them that wait for their clients.
    away: usize,
    /// Threads that have been told to end.
    leaving: usize,
    closed: bool,
    grower: bool,
    cpu_times: ThreadCpuTimes,
}

impl<W: Work> Pool<W> {
    /// A pool of at most `limit` threads, those that wait for their clients not counted, with at most `capacity` pieces
    /// of work waiting for one. A thread beyond the first `core` ones ends when it has had no work for `idle_timeout`.
    pub(crate) fn new(core: usize, limit: usize, capacity: usize, idle_timeout: Duration) -> Arc<Self> {
        let limit = limit.max(1);
        Arc::new(Self {
            state: Mutex::new(State {
                queue: VecDeque::new(),
                idle: Vec::new(),
                waking: 0,
                threads: 0,
                away: 0,
                leaving: 0,
                closed: false,
                grower: false,
                cpu_times: ThreadCpuTimes::default(),
            }),
            waiting: Condvar::new(),
            ended: Condvar::new(),
            core: core.clamp(1, limit),
            limit,
            capacity,
            idle_timeout,
        })
    }

    /// Queues work, or gives it back when that would be too much. Never blocks for longer than a queue operation.
    pub(crate) fn submit(self: &Arc<Self>, work: PoolWork<W>) -> Result<(), Full<W>> {
        let mut state = self.state.lock();
        // Threads still to be started count as room: only work beyond every thread has to fit the queue.
        let unstarted = self.limit.saturating_sub(state.active());
        if state.closed || state.queue.len() >= self.capacity + state.looking() + unstarted {
            return Err(Full(work));
        }
        state.queue.push_back((Instant::now(), work));
        self.serve_queue(&mut state);
        Ok(())
    }

    /// Wakes or starts a thread for the work at the end of the queue.
    fn serve_queue(self: &Arc<Self>, state: &mut State<W>) {
        if state.queue.len() <= state.waking {
            // Threads that have been woken for earlier work will take it.
        } else if let Some(thread) = state.idle.pop() {
            state.waking += 1;
            thread.notify_one();
        } else if state.active() < self.core {
            self.start_thread(state);
        } else if state.active() < self.limit {
            if state.grower {
                self.waiting.notify_one();
            } else {
                state.grower = self.start("slime-pool-growth".to_owned(), |pool| pool.grow());
            }
        }
    }

    /// Queues a request, or answers it where that would be too much.
    pub(crate) fn handle(self: &Arc<Self>, context: Box<W>) {
        if let Err(Full(PoolWork::Handler(context))) = self.submit(PoolWork::Handler(context)) {
            context.refuse();
        }
    }

    /// Queues a call, or gives it back when that would be too much.
    pub(crate) fn call(self: &Arc<Self>, call: SyncCall<W::Route>) -> Result<(), SyncCall<W::Route>> {
        match self.submit(PoolWork::SyncCall(call)) {
            Err(Full(PoolWork::SyncCall(call))) => Err(call),
            _ => Ok(()),
        }
    }

    /// Whether a thread is at work, or about to be.
    pub(crate) fn is_busy(&self) -> bool {
        let state = self.state.lock();
        !state.queue.is_empty() || state.threads > state.idle.len() + state.leaving
    }

    /// Lets queued work finish and waits for the threads to end: true when all have by then.
    pub(crate) fn close(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut state = self.state.lock();
        state.closed = true;
        state.waking += state.idle.len();
        state.idle.drain(..).for_each(|thread| {
            thread.notify_one();
        });
        self.waiting.notify_all();
        while state.threads > 0 || state.grower {
            if self.ended.wait_until(&mut state, deadline).timed_out() {
                return state.threads == 0 && !state.grower;
            }
        }
        true
    }

    fn start_thread(self: &Arc<Self>, state: &mut State<W>) {
        state.threads += 1;
        if !self.start(format!("slime-pool-{}", state.threads), |pool| pool.run()) {
            // The system gave no thread: the present ones go on, and the queue's limit holds.
            state.threads -= 1;
        }
    }

    fn start(self: &Arc<Self>, name: String, body: impl FnOnce(&Arc<Self>) + Send + 'static) -> bool {
        let pool = Arc::clone(self);
        thread::Builder::new().name(name).stack_size(STACK).spawn(move || body(&pool)).is_ok()
    }

    /// The growth thread: watches the oldest waiting work.
    fn grow(self: &Arc<Self>) {
        let mut state = self.state.lock();
        while !state.closed {
            match state.queue.front() {
                None => self.waiting.wait(&mut state),
                Some((since, _)) => {
                    let since = *since;
                    let computing = state.cpu_times.computing_threads();
                    let now = Instant::now();
                    if now < since + GROWTH_DELAY {
                        self.waiting.wait_until(&mut state, since + GROWTH_DELAY);
                        continue;
                    }
                    if 2 * computing >= self.core && now < since + GROWTH_DELAY_COMPUTING {
                        self.waiting.wait_for(&mut state, GROWTH_DELAY);
                        continue;
                    }
                    let wanted = state.queue.len().saturating_sub(state.looking());
                    for _ in 0..wanted.min(self.limit.saturating_sub(state.active())) {
                        self.start_thread(&mut state);
                    }
                    // Whether that helped shows when the new threads have had their turn.
                    self.waiting.wait_for(&mut state, GROWTH_DELAY);
                }
            }
        }
        state.grower = false;
        self.ended.notify_all();
    }

    /// A pool thread: attached to the interpreter once, detached while it waits.
    fn run(self: &Arc<Self>) {
        let key = self.state.lock().cpu_times.add_this_thread();
        let this: Arc<dyn Absence> = Arc::<Self>::clone(self);
        waiting::enter_pool(&this);
        drop(this);
        let wakeup = Arc::new(Condvar::new());
        Python::attach(|py| {
            while let Some(work) = self.ready().or_else(|| py.detach(|| self.next(&wakeup))) {
                let ran = catch_unwind(AssertUnwindSafe(|| match work {
                    PoolWork::Handler(context) => {
                        let sample = Sample::begin(context.route().inline_policy());
                        context.run_sync(py);
                        sample.end();
                    }
                    PoolWork::SyncCall(SyncCall { call, route }) => {
                        let sample = Sample::begin(route.upgraded_policy());
                        call(py);
                        sample.end();
                    }
                    PoolWork::Native(call) => call(py),
                }));
                if ran.is_err() {
                    // The panic hook has reported it; the request's dropped reply makes a 500.
                    continue;
                }
            }
        });
        let mut state = self.state.lock();
        state.cpu_times.remove(&key);
        state.threads -= 1;
        state.leaving -= 1;
        self.ended.notify_all();
    }

    /// Work that is queued already, if the queue's lock is free: there is no need to detach then.
    fn ready(&self) -> Option<PoolWork<W>> {
        let mut state = self.state.try_lock()?;
        if state.active() > self.limit {
            return None;
        }
        state.queue.pop_front().map(|(_, work)| work)
    }

    /// Waits for work, detached. None: the thread is to end.
    fn next(self: &Arc<Self>, wakeup: &Arc<Condvar>) -> Option<PoolWork<W>> {
        let mut state = self.state.lock();
        loop {
            if state.active() > self.limit {
                // One more than the limit, since others are back from their clients. What this one was woken for is
                // another's.
                state.leaving += 1;
                if !state.queue.is_empty() {
                    self.serve_queue(&mut state);
                }
                return None;
            }
            if let Some((_, work)) = state.queue.pop_front() {
                return Some(work);
            }
            if state.closed {
                state.leaving += 1;
                return None;
            }
            state.idle.push(Arc::clone(wakeup));
            let until = Instant::now() + self.idle_timeout;
            let woken = loop {
                let late = wakeup.wait_until(&mut state, until).timed_out();
                // A thread is taken off the list before it is woken.
                match state.idle.iter().rposition(|other| Arc::ptr_eq(other, wakeup)) {
                    None => break true,
                    Some(index) if late => {
                        state.idle.remove(index);
                        break false;
                    }
                    Some(_) => {}
                }
            };
            if woken {
                state.waking -= 1;
            } else if state.queue.is_empty() && state.active() > self.core {
                state.leaving += 1;
                return None;
            }
        }
    }
}

impl<W: Work> CallInPool for Pool<W> {
    fn call_in_pool(self: Arc<Self>, call: NativeCall) -> bool {
        self.submit(PoolWork::Native(call)).is_ok()
    }
}

impl<W: Work> Absence for Pool<W> {
    /// The calling thread, one of the pool's, waits for its client from now on: another one may work in its place.
    fn leave(self: Arc<Self>) {
        let mut state = self.state.lock();
        state.away += 1;
        if !state.queue.is_empty() {
            self.serve_queue(&mut state);
        }
    }

    /// The calling thread has waited for its client long enough.
    fn come_back(&self) {
        self.state.lock().away -= 1;
    }
}

impl<W: Work> State<W> {
    /// Threads that count for the limit.
    fn active(&self) -> usize {
        self.threads.saturating_sub(self.away + self.leaving)
    }

    /// Threads that are about to look for work, or would at once.
    fn looking(&self) -> usize {
        self.idle.len() + self.waking
    }
}
