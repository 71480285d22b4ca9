//! The segments of all patterns that have parameters, as a tree.

use rustc_hash::FxHashMap;

use super::params::{ParamKind, Spans};
use super::pattern::Segment;

/// What may follow the segments that lead here. Leaves are said by their indices.
#[derive(Default)]
pub(super) struct Node {
    text: FxHashMap<Box<str>, Node>,
    params: Vec<Branch>,
    leaf: Option<usize>,
    rest: Option<usize>,
}

struct Branch {
    before: String,
    kind: ParamKind,
    after: String,
    node: Node,
}

impl Branch {
    /// Higher goes first; the sort is stable, so that equals keep the order of declaration.
    fn rank(&self) -> (usize, bool) {
        (self.before.len() + self.after.len(), self.kind != ParamKind::Str)
    }

    fn takes(&self, segment: &str) -> Option<(usize, usize)> {
        let inner = segment.strip_prefix(self.before.as_str())?.strip_suffix(self.after.as_str())?;
        let start = self.before.len();
        self.kind.matches(inner).then_some((start, start + inner.len()))
    }
}

impl Node {
    /// Where the leaf for a pattern is kept, made where it is new.
    pub(super) fn slot(&mut self, segments: &[Segment]) -> &mut Option<usize> {
        let Some((segment, rest)) = segments.split_first() else { return &mut self.leaf };
        match segment {
            Segment::Text(text) => self.text.entry(text.as_str().into()).or_default().slot(rest),
            Segment::Rest => &mut self.rest,
            Segment::Param { before, kind, after } => {
                let same = |branch: &Branch| branch.before == *before && branch.kind == *kind && branch.after == *after;
                let at = self.params.iter().position(same).unwrap_or(self.params.len());
                if at == self.params.len() {
                    let (before, after) = (before.clone(), after.clone());
                    self.params.push(Branch { before, kind: *kind, after, node: Self::default() });
                }
                match self.params.get_mut(at) {
                    Some(branch) => branch.node.slot(rest),
                    None => &mut self.leaf,
                }
            }
        }
    }

    /// Brings the branches into the order in which they are tried.
    pub(super) fn sort(&mut self) {
        self.params.sort_by_key(|branch| std::cmp::Reverse(branch.rank()));
        self.text.values_mut().for_each(Self::sort);
        self.params.iter_mut().for_each(|branch| branch.node.sort());
    }

    /// Visits the leaves for the path from byte `at` on, best first, until `visit` is content. Every node lies at one
    /// depth, so none is visited twice.
    pub(super) fn walk(
        &self,
        path: &str,
        at: usize,
        spans: &mut Spans,
        visit: &mut impl FnMut(usize, &Spans) -> bool,
    ) -> bool {
        let Some(tail) = path.get(at..) else {
            // One past the end: the last segment has been taken.
            return self.leaf.is_some_and(|leaf| visit(leaf, spans));
        };
        let segment = memchr::memchr(b'/', tail.as_bytes()).and_then(|end| tail.get(..end)).unwrap_or(tail);
        let next = at + segment.len() + 1;
        if self.text.get(segment).is_some_and(|node| node.walk(path, next, spans, visit)) {
            return true;
        }
        for branch in &self.params {
            let Some((start, end)) = branch.takes(segment) else { continue };
            spans.push(span(at + start, at + end));
            if branch.node.walk(path, next, spans, visit) {
                return true;
            }
            spans.pop();
        }
        self.rest.is_some_and(|leaf| {
            spans.push(span(at, path.len()));
            let content = visit(leaf, spans);
            spans.pop();
            content
        })
    }
}

fn span(start: usize, end: usize) -> (u32, u32) {
    // hyper refuses targets longer than a u16 counts.
    let clip = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    (clip(start), clip(end))
}
