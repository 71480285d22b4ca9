//! A worker: serves the connections that the acceptor gives to it.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::acceptor::AcceptorMessage;
use super::handle::ShutdownGuard;
use crate::config::Config;
use crate::conn::{CloseMode, CoarseClock, WorkerContext, WorkerLoad, connection, timeouts};
use crate::runtime::Spawner;
use crate::service::Service;

/// A worker before it runs.
pub(crate) struct Worker<S> {
    context: Arc<WorkerContext<S>>,
    load: Arc<WorkerLoad>,
}

impl<S: Service> Worker<S> {
    pub(crate) fn new(service: S, config: Arc<Config>, load: Arc<WorkerLoad>, spawner: Spawner) -> Self {
        let registry = Arc::clone(&load.registry);
        let context =
            WorkerContext { service: Arc::new(service), config, clock: CoarseClock::new(), registry, spawner };
        Self { context: Arc::new(context), load }
    }

    /// Serves until the server stops, or has shut down; what is left then is dropped.
    pub(crate) async fn run(self, mut messages: mpsc::UnboundedReceiver<AcceptorMessage>, guard: ShutdownGuard) {
        let Self { context, load } = self;
        let limits = &context.config.limits;
        context.spawner.spawn(timeouts::run(Arc::clone(&context.registry), Arc::clone(&context.clock), limits.clone()));
        let work = async {
            tokio::select! {
                () = guard.shutting_down() => {}
                () = async {
                    while let Some(message) = messages.recv().await {
                        context.clock.update();
                        handle_message(&context, message);
                    }
                } => {}
            }
            context.registry.drain(context.clock.update());
            // The acceptor may still be handing over what it had accepted: that is served like others in flight, and
            // the channel ends when the acceptor has.
            let emptied = async {
                while let Some(message) = messages.recv().await {
                    handle_message(&context, message);
                }
                while load.connections() > 0 {
                    load.none_left.notified().await;
                }
            };
            let _ = tokio::time::timeout(limits.shutdown_grace, emptied).await;
        };
        tokio::select! {
            () = guard.stopping() => {}
            () = work => {}
        }
        // So that those who follow an answer to its end know why that has come.
        context.registry.close_each(|_| Some(CloseMode::Stop));
        context.spawner.cancel();
        drop(guard);
    }
}

fn handle_message<S: Service>(context: &Arc<WorkerContext<S>>, message: AcceptorMessage) {
    match message {
        AcceptorMessage::Accepted(accepted) => context.spawner.spawn(connection::run(Arc::clone(context), accepted)),
        AcceptorMessage::Failed(error) => context.service.accept_failed(&error),
    }
}
