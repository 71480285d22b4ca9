//! The response as a reply: what has been set goes to the connection.

use std::sync::Arc;

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Response, StatusCode};
use pyo3::prelude::*;
use slimeweb_http::Body;

use super::SlimeResponse;
use super::filter::FILTER;
use super::head::HEAD;
use super::state::{AfterState, ResponseBody, ResponseState};
use crate::guarded;
use crate::reply::{FileReply, Handled, InitialResponse, Reply, ReplySender, SwitchReply};
use crate::worker::contextvars;
use crate::worker::work::{CallInLoop, NativeCall, PoolWork};

impl SlimeResponse {
    /// Sends what there is. Nothing more can be changed afterwards.
    pub(crate) fn send(slf: &Bound<'_, Self>) {
        let this = slf.get();
        let route = &this.request.get().route;
        if !route.filters.is_empty() && !this.state.lock().has_failed_filter {
            let length = match &this.state.lock().body {
                ResponseBody::Bytes(bytes) => Some(bytes.len()),
                // No body, but what a filter says in the headers belongs to this answer as well.
                ResponseBody::Empty | ResponseBody::Unset => Some(0),
                _ => None,
            };
            match length {
                Some(length) if length >= route.filter_limit && this.request.get().is_on_worker() => {
                    let response = slf.clone().unbind();
                    let filter = move |py: Python<'_>| Self::filter_and_send(response.bind(py));
                    let Err(full) = this.request.get().app.workers.pool.submit(PoolWork::Native(Box::new(filter)))
                    else {
                        return;
                    };
                    if let PoolWork::Native(call) = full.0 {
                        // No thread is free for it: slow is better than not at all.
                        call(slf.py());
                    }
                }
                Some(_) => Self::filter_and_send(slf),
                None => Self::deliver(slf),
            }
            return;
        }
        Self::deliver(slf);
    }

    /// The status that it is sent with where none has been set, unless that is 200.
    fn default_status(&self) -> Option<StatusCode> {
        let has_none = matches!(
            self.state.lock().body,
            // A writer that has not been started.
            ResponseBody::Unset | ResponseBody::Empty | ResponseBody::Writer(_)
        );
        has_none.then_some(StatusCode::NO_CONTENT)
    }

    /// Logs a Content-Length that is not that of the body. The server drops it.
    #[cold]
    fn check_length(&self, py: Python<'_>, headers: &HeaderMap, size: usize) {
        for value in headers.get_all(CONTENT_LENGTH) {
            if value.as_bytes() != size.to_string().as_bytes() {
                let reason = format!("the body has {size} bytes, and the server counts them itself");
                if let Err(error) = self.log_dropped(py, &CONTENT_LENGTH, value, &reason) {
                    error.write_unraisable(py, None);
                }
                return;
            }
        }
    }

    pub(super) fn deliver(slf: &Bound<'_, Self>) {
        let (this, py) = (slf.get(), slf.py());
        let route = &this.request.get().route;
        if route.on_head.is_some()
            && let Err(error) = Self::prepare_head(slf, this.default_status())
        {
            let error = if this.is_streamed() { Self::end_resources(slf, error) } else { error };
            Self::fail(slf, error, HEAD);
        }
        let (status, mut headers, body, has_length, after) = {
            let mut state = this.state.lock();
            let body = std::mem::replace(&mut state.body, ResponseBody::Sent);
            if let ResponseBody::Stream(source) = body {
                drop(state);
                Self::begin_stream(slf, source);
                return;
            }
            let after = std::mem::replace(&mut state.after, AfterState::Over);
            (state.status, std::mem::take(&mut state.headers), body, state.has_length, after)
        };
        if let Some(disconnect) = this.disconnect() {
            disconnect.set();
        }
        let after = this.after_guard(after);
        if has_length && let ResponseBody::Bytes(bytes) = &body {
            this.check_length(py, &headers, bytes.len());
        }
        let head = |status: StatusCode, headers: HeaderMap, body: Body| {
            let mut response = Response::new(body);
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            response
        };
        let response = match body {
            ResponseBody::Bytes(bytes) => head(status.unwrap_or(StatusCode::OK), headers, Body::full(bytes)),
            ResponseBody::Empty => head(status.unwrap_or(StatusCode::NO_CONTENT), headers, Body::empty()),
            ResponseBody::StaticFile(body) => head(status.unwrap_or(StatusCode::OK), headers, body),
            ResponseBody::Unset => {
                // The handler has set no body; without a status either, the response has none.
                head(status.unwrap_or(StatusCode::NO_CONTENT), headers, Body::empty())
            }
            ResponseBody::File(path) => {
                let handled = Box::new(HandledRequest(slf.clone().unbind()));
                let status = status.unwrap_or(StatusCode::OK);
                this.reply_with(Reply::File(Box::new(FileReply { handled, path, status, headers, after })));
                return;
            }
            ResponseBody::Switched(mut candidate) => {
                let route = Arc::clone(&this.request.get().route);
                candidate.set_after(after);
                this.reply_with(Reply::Switch(Box::new(SwitchReply { headers, candidate, route })));
                return;
            }
            ResponseBody::Writer(writer) => {
                let writer = writer.get();
                if writer.has_started() {
                    match (writer.finish(py), after) {
                        (Ok(()), Some(after)) => writer.on_gone(Box::new(move || drop(after))),
                        (Ok(()), None) => {}
                        (Err(error), after) => {
                            this.forget_after();
                            drop(after);
                            Self::fail(slf, error, FILTER);
                        }
                    }
                    return;
                }
                headers.remove(http::header::TRANSFER_ENCODING);
                head(status.unwrap_or(StatusCode::NO_CONTENT), headers, Body::empty())
            }
            ResponseBody::Upgraded(awaited) => {
                if let Err(error) = awaited.close(py) {
                    error.write_unraisable(py, None);
                }
                if let Some(after) = after {
                    awaited.on_lost(Box::new(move || drop(after)));
                }
                return;
            }
            ResponseBody::Stream(_) | ResponseBody::Sent => return,
        };
        this.reply_with(Reply::Response(match after {
            None => response,
            Some(after) => after.follow(response),
        }));
    }

    fn reply_with(&self, reply: Reply) {
        if let Some(sender) = self.take_reply() {
            // The connection may be gone; then the reply is dropped.
            let _ = sender.send(reply);
        }
    }
}

/// A request by its response, for what is known of it only once its handler has ended.
struct HandledRequest(Py<SlimeResponse>);

impl Handled for HandledRequest {
    fn head(&self) -> &http::request::Parts {
        &self.0.get().request.get().head
    }

    fn call_in_loop(&self, call: NativeCall) {
        let request = self.0.get().request.get();
        CallInLoop::call_in_loop(&*request.app.workers, request.worker_id, call);
    }

    fn refuse(self: Box<Self>, state: InitialResponse, reply: ReplySender) {
        let workers = Arc::clone(&self.0.get().request.get().app.workers);
        let refuse = move |py: Python<'_>| SlimeResponse::refuse(self.0.bind(py), state, reply);
        // Whatever thread the handler had is gone. What does not fit is dropped, `reply` with it.
        let _ = workers.pool.submit(PoolWork::Native(Box::new(refuse)));
    }
}

impl SlimeResponse {
    /// Answers in another way than the handler has, whose answer is still unsent.
    fn refuse(slf: &Bound<'_, Self>, initial: InitialResponse, reply: ReplySender) {
        let (this, py) = (slf.get(), slf.py());
        let mut state = ResponseState::new(Some(Box::new(initial)));
        {
            let mut current = this.state.lock();
            state.befores_cookies = std::mem::take(&mut current.befores_cookies);
            state.after = current.after;
            std::mem::swap(&mut *current, &mut state);
        }
        *this.reply.lock() = Some(reply);
        let request = this.request.bind(py);
        let called = contextvars::fresh(py, || {
            let refuse = request.get().app.refuse_file.bind(py);
            let result = guarded::call(refuse, [request.as_ptr(), slf.as_ptr()]);
            if guarded::is_child() {
                guarded::end_child(py, result.err());
            }
            result
        });
        if let Err(error) = called {
            Self::fail(slf, error, "");
        }
        Self::send(slf);
    }
}
