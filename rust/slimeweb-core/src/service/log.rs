//! The lines of the access log.

use std::sync::Arc;

use slimeweb_http::ConnectionInfo;

use super::{PythonService, ResponseFuture};
use crate::access_log::{AccessLog, Entry};

impl PythonService {
    pub(super) fn entry(
        &self,
        log: &Arc<AccessLog>,
        head: &http::request::Parts,
        connection: &ConnectionInfo,
    ) -> Entry {
        let client = self.app.proxies.client(connection, &head.headers);
        Entry::new(log, client, head.method.to_string(), head.uri.path().to_owned())
    }
}

impl ResponseFuture {
    /// Writes the line once the response has ended.
    pub(super) fn logged(self, entry: Entry) -> Self {
        Self::Boxed(Box::pin(async move {
            // Moved in whole: a client that leaves drops it with the rest.
            let entry = entry;
            let response = self.await;
            entry.follow(response)
        }))
    }
}
