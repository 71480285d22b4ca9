//! Requests whose ends are told.

use std::sync::Arc;

use slimeweb_http::{ConnectionInfo, Exchange};

use super::{PythonService, ResponseFuture};
use crate::sent::{Asked, Entry, RequestNumber, SentQueue};

impl PythonService {
    pub(super) fn entry(
        &self,
        queue: &Arc<SentQueue>,
        head: &mut http::request::Parts,
        connection: &Arc<ConnectionInfo>,
    ) -> Entry {
        let number = self.app.next_request_number();
        head.extensions.insert(RequestNumber(number));
        let asked = Asked {
            route: None,
            method: Some(head.method.clone()),
            path: Some(head.uri.path().to_owned()),
            client: self.app.proxies.client(connection, &head.headers),
            number,
        };
        Entry::new(queue, Arc::clone(connection), asked)
    }

    /// Answers a request, and tells of it once that has ended.
    pub(super) fn answer_and_tell(self: &Arc<Self>, queue: &Arc<SentQueue>, mut exchange: Exchange) -> ResponseFuture {
        let mut entry = self.entry(queue, &mut exchange.head, &exchange.connection);
        self.answer(exchange, |route| entry.set_route(&route.pattern)).told(entry)
    }
}

impl ResponseFuture {
    /// Tells of the response once it has ended.
    pub(super) fn told(self, entry: Entry) -> Self {
        Self::Boxed(Box::pin(async move {
            // Moved in whole: a client that leaves drops it with the rest.
            let entry = entry;
            let response = self.await;
            entry.follow(response)
        }))
    }
}
