//! The filters of a route: which of them change an answer, and what they make of a body that is whole.

use bytes::Bytes;
use http::header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG};
use http::{HeaderMap, HeaderValue, StatusCode};
use pyo3::intern;
use pyo3::prelude::*;

use super::SlimeResponse;
use super::encoders::{Last, encoded};
use super::state::ResponseBody;

/// The place of what a filter raises, to those who observe exceptions.
pub(super) const FILTER: &str = "filter";

impl SlimeResponse {
    pub(super) fn filter_and_send(slf: &Bound<'_, Self>) {
        if let Err(error) = Self::filter(slf) {
            // Sent unfiltered: what has failed for one body may fail for the next.
            Self::fail(slf, error, FILTER);
        }
        Self::deliver(slf);
    }

    /// What has failed is a filter. What is sent instead is not filtered: it may fail for the next body as well.
    pub(super) fn note_filter_failure(&self) {
        self.state.lock().has_failed_filter = true;
    }

    /// Runs the body through the route's filters, in their order.
    pub(super) fn filter(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (this, py) = (slf.get(), slf.py());
        let request = this.request.bind(py);
        for (index, filter) in request.get().route.filters.iter().enumerate() {
            let (body, empty) = match &this.state.lock().body {
                ResponseBody::Bytes(bytes) => (bytes.clone(), false),
                ResponseBody::Empty | ResponseBody::Unset => (Bytes::new(), true),
                _ => return Ok(()),
            };
            if !this.is_for_filter(index) {
                continue;
            }
            let encoder = filter.bind(py).call_method1(intern!(py, "begin"), (request, slf, body.len()))?;
            if encoder.is_none() || empty {
                continue;
            }
            this.mark_filtered();
            let encoded = encoded(&encoder, &body, Last::Finish)?;
            this.set(ResponseBody::Bytes(encoded.into()), None, None)?;
        }
        Ok(())
    }

    /// The encoders of the route's filters for a body that is written piece by piece, in their order.
    pub(super) fn begin_filters(slf: &Bound<'_, Self>) -> PyResult<Vec<Py<PyAny>>> {
        let (this, py) = (slf.get(), slf.py());
        let request = this.request.bind(py);
        let mut encoders = Vec::new();
        for (index, filter) in request.get().route.filters.iter().enumerate() {
            if !this.is_for_filter(index) {
                continue;
            }
            let encoder = filter.bind(py).call_method1(intern!(py, "begin"), (request, slf, py.None()))?;
            if !encoder.is_none() {
                this.mark_filtered();
                encoders.push(encoder.unbind());
            }
        }
        Ok(encoders)
    }

    /// Whether the route's filter of that index may change the body.
    ///
    /// A body that has a coding gets no other and no other content. Nor does the content change of a part of a body,
    /// and of one whose handler vouches for its octets (RFC 9530) or says no-transform (RFC 9111, section 5.2.2.6).
    fn is_for_filter(&self, index: usize) -> bool {
        let state = self.state.lock();
        if state.headers.contains_key(CONTENT_ENCODING) {
            return false;
        }
        let is_coding = index >= self.request.get().route.content_filters;
        is_coding
            || !(state.status == Some(StatusCode::PARTIAL_CONTENT)
                || state.headers.contains_key(CONTENT_RANGE)
                || DIGESTS.iter().any(|name| state.headers.contains_key(*name))
                || has_no_transform(&state.headers))
    }

    /// Changes what the headers say of the body's octets, for they will be others: the server counts them, parts of them
    /// cannot be asked for, and a strong validator must not stand for two bodies (RFC 9110, section 8.8.1).
    fn mark_filtered(&self) {
        let mut state = self.state.lock();
        state.headers.remove(CONTENT_LENGTH);
        state.headers.remove(ACCEPT_RANGES);
        if let Some(etag) = state.headers.get(ETAG)
            && !etag.as_bytes().starts_with(b"W/")
            && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", etag.as_bytes()].concat())
        {
            state.headers.insert(ETAG, weak);
        }
    }
}

/// What vouches for the octets of a body.
const DIGESTS: [&str; 4] = ["content-digest", "repr-digest", "digest", "content-md5"];

fn has_no_transform(headers: &HeaderMap) -> bool {
    headers
        .get_all(CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|directive| directive.trim_matches([' ', '\t']).eq_ignore_ascii_case("no-transform"))
}
