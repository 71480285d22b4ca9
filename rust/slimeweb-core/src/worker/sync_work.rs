//! A sync function that a worker's thread runs itself, and the policy that lets it.

use std::sync::Arc;

use super::inline_policy::InlinePolicy;
use super::work::{Policies, SyncCall, Work};

/// A sync function to run: a handler, or a call after a protocol switch.
pub(super) enum SyncWork<W: Work> {
    Handler(Box<W>),
    Call(SyncCall<W::Route>),
}

impl<W: Work> SyncWork<W> {
    pub(super) fn kind(&self) -> SyncKind<W::Route> {
        match self {
            Self::Handler(context) => SyncKind::Handler(Arc::clone(context.route())),
            Self::Call(call) => SyncKind::Other(Arc::clone(&call.route)),
        }
    }
}

/// Which of a route's policies a sync function belongs to.
pub(super) enum SyncKind<R> {
    Handler(Arc<R>),
    Other(Arc<R>),
}

impl<R: Policies> SyncKind<R> {
    pub(super) fn inline_policy(&self) -> &InlinePolicy {
        match self {
            Self::Handler(route) => route.inline_policy(),
            Self::Other(route) => route.upgraded_policy(),
        }
    }
}
