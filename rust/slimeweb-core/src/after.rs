//! What is to happen once an answer has ended, however it ends.

use http::Response;
use slimeweb_http::Body;

/// The end of an answer: calls the function when it is dropped.
pub(crate) struct AfterGuard(Option<Box<dyn FnOnce() + Send + Sync>>);

impl AfterGuard {
    pub(crate) fn new(function: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(function)))
    }

    /// Follows the response to its body's end.
    pub(crate) fn follow(self, response: Response<Body>) -> Response<Body> {
        response.map(|body| body.on_end(move |_, _| drop(self)))
    }
}

impl Drop for AfterGuard {
    fn drop(&mut self) {
        if let Some(function) = self.0.take() {
            function();
        }
    }
}
