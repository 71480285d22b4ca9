//! `RequestPayload`: nothing, bytes, a multipart form, or a body that is still being received.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use slimeweb_http::header::urlencoded::Pairs;
use slimeweb_http::multipart::Upload;
use slimeweb_http::{BodyError, Collected};
use tokio::sync::{mpsc, oneshot};

use crate::error;
use crate::request::expected::{Expected, Fate};

/// A request's body, as far as it has been read when the handler starts.
pub(crate) enum RequestPayload {
    Empty,
    Whole(Collected),
    /// A large body, read into the object that the handler gets.
    Object(Py<PyBytes>),
    /// A multipart form; its uploads are taken out when `req.file` is first asked for.
    Form {
        fields: Pairs,
        uploads: Mutex<Vec<Upload>>,
    },
    /// Still arriving; taken out when `req.chunks()` is asked for.
    Stream(Mutex<Option<Arriving>>),
    /// The client holds it back until it is asked for it.
    Expected(Arc<Expected>),
    /// It was not taken, and this is why.
    Refused(Box<Refused>),
}

/// Why a request goes to no handler.
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    pub(crate) detail: String,
}

impl Refused {
    pub(crate) fn error(&self) -> PyErr {
        error::http_error(self.status, self.detail.clone())
    }
}

/// A few pieces of a body, the connection reading on as they are taken.
pub(crate) type ChunkReceiver = mpsc::Receiver<Result<Bytes, BodyError>>;

/// A body that is read as its pieces are taken.
pub(crate) struct Arriving {
    pub(crate) receiver: ChunkReceiver,
    /// What is to be told before the first piece is read, where the client waits for that.
    pub(crate) begin: Option<(oneshot::Sender<()>, Arc<Fate>)>,
}

impl Arriving {
    pub(crate) fn begin(self) -> ChunkReceiver {
        if let Some((sender, fate)) = self.begin {
            fate.set_unread(false);
            // An error: the server has ended, and the receiver knows.
            let _ = sender.send(());
        }
        self.receiver
    }
}
