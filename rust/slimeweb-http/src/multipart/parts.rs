//! Splits a body at its boundary (RFC 2046, section 5.1), as it arrives.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memmem::Finder;

use super::disposition::{self, PartHead};
use super::error::FormError;
use crate::request_body::RequestBody;

/// The head of a part, in bytes.
const HEAD_LIMIT: usize = 16 * 1024;
const BOUNDARY_LIMIT: usize = 70;

/// The parts of a body, one after another.
pub(super) struct Parts {
    body: RequestBody,
    buffer: BytesMut,
    delimiter: Finder<'static>,
}

impl Parts {
    pub(super) fn new(body: RequestBody, boundary: &str) -> Self {
        let delimiter = Finder::new(format!("\r\n--{boundary}").as_bytes()).into_owned();
        // The first delimiter may stand at the very beginning, without a line end before it.
        Self { body, buffer: BytesMut::from(&b"\r\n"[..]), delimiter }
    }

    /// The head of the next part; none after the last. The part before it has to be read to its end.
    pub(super) async fn next(&mut self, is_first: bool) -> Result<Option<PartHead>, FormError> {
        if is_first {
            // A preamble is nobody's.
            while self.data().await?.is_some() {}
        }
        while self.buffer.len() < 2 {
            self.fill("it ends in a delimiter").await?;
        }
        if self.buffer.starts_with(b"--") {
            // What follows the last delimiter is nobody's either, but read, so that the connection can be used again.
            while let Some(piece) = self.body.chunk().await {
                piece?;
            }
            return Ok(None);
        }
        let padding = self.until(b"\r\n").await?;
        if padding.iter().any(|byte| !matches!(byte, b' ' | b'\t')) {
            return Err(FormError::Malformed("a delimiter is followed by something else"));
        }
        if self.starts_with(b"\r\n").await? {
            return Err(FormError::Malformed("a part has no head"));
        }
        let head = self.until(b"\r\n\r\n").await?;
        disposition::parse(&head).map(Some).map_err(FormError::Malformed)
    }

    /// The next piece of the part; none at its end, which includes the delimiter.
    pub(super) async fn data(&mut self) -> Result<Option<Bytes>, FormError> {
        loop {
            let length = self.delimiter.needle().len();
            if let Some(at) = self.delimiter.find(&self.buffer) {
                if at > 0 {
                    return Ok(Some(self.buffer.split_to(at).freeze()));
                }
                self.buffer.advance(length);
                return Ok(None);
            }
            // The last bytes may be the beginning of a delimiter.
            let safe = self.buffer.len().saturating_sub(length - 1);
            if safe > 0 {
                return Ok(Some(self.buffer.split_to(safe).freeze()));
            }
            self.fill("it ends before its last delimiter").await?;
        }
    }

    /// Takes what stands before `end`, and `end` itself off as well.
    async fn until(&mut self, end: &[u8]) -> Result<Bytes, FormError> {
        let too_long = FormError::Malformed("the head of a part is too long");
        let mut from = 0;
        loop {
            let unsearched = self.buffer.get(from..).unwrap_or_default();
            if let Some(at) = memchr::memmem::find(unsearched, end) {
                let found = self.buffer.split_to(from + at).freeze();
                self.buffer.advance(end.len());
                return if found.len() > HEAD_LIMIT { Err(too_long) } else { Ok(found) };
            }
            if self.buffer.len() > HEAD_LIMIT {
                return Err(too_long);
            }
            from = self.buffer.len().saturating_sub(end.len() - 1);
            self.fill("it ends in the head of a part").await?;
        }
    }

    async fn starts_with(&mut self, start: &[u8]) -> Result<bool, FormError> {
        while self.buffer.len() < start.len() {
            self.fill("it ends in the head of a part").await?;
        }
        Ok(self.buffer.starts_with(start))
    }

    async fn fill(&mut self, otherwise: &'static str) -> Result<(), FormError> {
        let piece = self.body.chunk().await.ok_or(FormError::Malformed(otherwise))??;
        self.buffer.extend_from_slice(&piece);
        Ok(())
    }
}

/// The boundary that a Content-Type announces.
pub(super) fn boundary(content_type: &str) -> Result<String, FormError> {
    let (kind, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return Err(FormError::Malformed("its Content-Type is not multipart/form-data"));
    }
    let value = parameters.split(';').find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim().eq_ignore_ascii_case("boundary").then(|| value.trim())
    });
    let value = value.ok_or(FormError::Malformed("its Content-Type has no boundary"))?;
    let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    // A semicolon cannot be in a boundary, so splitting at it was right.
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    if bare.is_empty() || bare.len() > BOUNDARY_LIMIT || bare.ends_with(' ') || !bare.bytes().all(is_valid) {
        return Err(FormError::Malformed("its boundary is not one of RFC 2046"));
    }
    Ok(bare.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries() {
        assert_eq!(boundary("multipart/form-data; boundary=abc").unwrap(), "abc");
        assert_eq!(boundary("Multipart/Form-Data; charset=x; Boundary=\"a b\"").unwrap(), "a b");
        let long = format!("multipart/form-data; boundary={}", "a".repeat(71));
        for bad in [
            "text/plain; boundary=a",
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=\"a",
            long.as_str(),
        ] {
            assert!(boundary(bad).is_err(), "{bad}");
        }
    }
}
