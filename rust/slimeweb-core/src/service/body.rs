//! Requests with a body that the handler takes piece by piece, or that is not taken.

use std::sync::Arc;

use http::Response;
use parking_lot::Mutex;
use slimeweb_http::{Body, BodyError, RequestBody};
use tokio::sync::{mpsc, oneshot};

use super::{PythonService, ResponseFuture};
use crate::reply::{self, InitialResponse, closing};
use crate::request::body::{Refusal, log_unstored};
use crate::request::context::RequestContext;
use crate::request::expected::Fate;
use crate::request::payload::{Arriving, RequestPayload};
use crate::sent::ClientLeft;

/// Pieces of a streamed request body that are read ahead of the handler.
const CHUNKS_AHEAD: usize = 4;

impl PythonService {
    /// Answers a request whose body the handler takes piece by piece.
    pub(super) fn run_streamed(
        self: &Arc<Self>,
        mut context: Box<RequestContext>,
        body: RequestBody,
    ) -> ResponseFuture {
        let is_held_back = body.awaits_continue();
        let fate = (is_held_back || self.app.sent.is_some()).then(|| Fate::new(is_held_back));
        let arriving = self.pump(body, context.route.body_size, fate.as_ref());
        context.payload = RequestPayload::Stream(Mutex::new(Some(arriving)));
        let answer = self.run(context);
        match fate {
            None => answer,
            Some(fate) => ResponseFuture::Boxed(Box::pin(async move { fate.conclude(answer.await) })),
        }
    }

    /// Answers for a body that is not taken: through the route's middleware and the application's error handlers, where
    /// there are any.
    pub(super) async fn refuse_body(
        self: &Arc<Self>,
        mut context: Box<RequestContext>,
        refusal: Refusal,
    ) -> Response<Body> {
        let is_client_there = !refusal.is_disconnected();
        if let Refusal::Form(error) = &refusal {
            let asked = format!("{} {}", context.head.method, context.head.uri.path());
            log_unstored(&self.app, self.worker_id, &asked, error);
        }
        let refused = refusal.into_refused();
        let response = match context.route.refusal.clone() {
            Some(route) if is_client_there => {
                context.refused_by(route, InitialResponse::refusal(refused.status, None), refused);
                self.run(context).await
            }
            _ => {
                let mut response = reply::refusal(&context.head.headers, refused.status, &refused.detail);
                if !is_client_there {
                    response.extensions_mut().insert(ClientLeft);
                }
                response
            }
        };
        // What is left of the body is not worth reading, so the connection cannot be used again.
        closing(response)
    }

    /// Reads a body on as the handler takes its pieces, from the start or, where the client waits for that, from when
    /// the handler asks for them.
    pub(super) fn pump(&self, mut body: RequestBody, limit: u64, fate: Option<&Arc<Fate>>) -> Arriving {
        body.set_limit(limit);
        let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
        if body.is_empty() {
            return Arriving { receiver, begin: None };
        }
        let fate = fate.cloned();
        let (begin, begun) = match &fate {
            Some(fate) if body.awaits_continue() => {
                let (sender, receiver) = oneshot::channel();
                (Some((sender, Arc::clone(fate))), Some(receiver))
            }
            _ => (None, None),
        };
        self.app.workers.get(self.worker_id).spawner().spawn(async move {
            if let Some(begun) = begun
                && begun.await.is_err()
            {
                // The handler has ended without it.
                return;
            }
            loop {
                // The permit first: nothing is read that the handler does not take.
                let Ok(permit) = sender.reserve().await else { break };
                match body.chunk().await {
                    Some(piece) => {
                        let failed = piece.is_err();
                        if let (Some(fate), Err(BodyError::Disconnected)) = (&fate, &piece) {
                            fate.set_left();
                        }
                        permit.send(piece);
                        if failed {
                            return;
                        }
                    }
                    None => return,
                }
            }
            body.discard();
        });
        Arriving { receiver, begin }
    }
}
