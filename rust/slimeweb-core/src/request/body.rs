//! Reading a request's body, to its end: as bytes, as one object, or as a form.

use http::HeaderValue;
use parking_lot::Mutex;
use slimeweb_http::header::params;
use slimeweb_http::multipart::{self, Form, FormError};
use slimeweb_http::{BodyError, RequestBody};

use crate::error;
use crate::request::context::App;
use crate::request::large_body;
use crate::request::payload::{Refused, RequestPayload};
use crate::route::CompiledRoute;

/// Reads a body, whose Content-Type is `kind`, to its end.
pub(crate) async fn read(
    app: &App,
    worker_id: usize,
    route: &CompiledRoute,
    kind: Option<&HeaderValue>,
    body: RequestBody,
) -> Result<RequestPayload, Refusal> {
    match kind.filter(|kind| is_multipart(kind.as_bytes())) {
        Some(kind) => {
            let form = multipart::read(body, kind, route.body_size, &app.form_limits).await;
            let Form { fields, files } = form.map_err(Refusal::Form)?;
            Ok(RequestPayload::Form { fields, uploads: Mutex::new(files) })
        }
        None => {
            let buffer = large_body::buffer_for(&body, route.body_size, &app.workers, worker_id).await;
            if let Some(buffer) = buffer {
                return large_body::read_into(buffer, body).await.map(RequestPayload::Object).map_err(Refusal::Body);
            }
            let limit = usize::try_from(route.body_size).unwrap_or(usize::MAX);
            body.collect(limit).await.map(RequestPayload::Whole).map_err(Refusal::Body)
        }
    }
}

/// Says in the log why a form was not read, where that is this machine's fault. `asked` is the request's method and
/// path.
pub(crate) fn log_unstored(app: &App, worker_id: usize, asked: &str, error: &FormError) {
    if let FormError::DiskFull(cause) | FormError::Storage(cause) = error {
        let reason = cause.to_string();
        let what = format!("{asked}: {}, an uploaded file could not be stored", error.status().as_u16());
        app.workers.call_in_loop(worker_id, move |py| error::log_system(py, &what, &reason));
    }
}

/// Why a body was not taken.
pub(crate) enum Refusal {
    Body(BodyError),
    Form(FormError),
}

impl Refusal {
    /// Whether the client went away while it sent the body.
    pub(crate) fn is_disconnected(&self) -> bool {
        match self {
            Self::Body(error) => matches!(error, BodyError::Disconnected),
            Self::Form(error) => error.is_disconnected(),
        }
    }

    pub(crate) fn into_refused(self) -> Refused {
        let (status, detail) = match &self {
            Self::Body(error) => (error.status(), error.to_string()),
            Self::Form(error) => (error.status(), error.to_string()),
        };
        Refused { status, detail }
    }
}

pub(crate) fn is_multipart(kind: &[u8]) -> bool {
    params::essence(kind).eq_ignore_ascii_case(b"multipart/form-data")
}
