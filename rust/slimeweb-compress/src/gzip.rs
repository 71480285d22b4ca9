//! gzip (RFC 1952), without a time or a name in its header: the same body gives the same bytes.

use flate2::{Compress, Compression, FlushCompress, Status};

use crate::coding::Coding;
use crate::encoder::{Encoder, Error, Flush};
use crate::output;

/// 32 KiB: what every gzip decoder has.
const WINDOW_BITS: u8 = 15;

pub(crate) struct Gzip(Compress);

impl Gzip {
    pub(crate) fn new(level: u32) -> Self {
        Self(Compress::new_gzip(Compression::new(level), WINDOW_BITS))
    }
}

impl Encoder for Gzip {
    fn encode(&mut self, data: &[u8], flush: Flush, out: &mut Vec<u8>) -> Result<(), Error> {
        let mode = match flush {
            Flush::None => FlushCompress::None,
            Flush::Sync => FlushCompress::Sync,
            Flush::Finish => FlushCompress::Finish,
        };
        let start = self.0.total_in();
        output::prepare(out, data.len());
        loop {
            let taken = usize::try_from(self.0.total_in() - start).unwrap_or(usize::MAX);
            let rest = data.get(taken..).unwrap_or_default();
            let status =
                self.0.compress_vec(rest, out, mode).map_err(|error| Error::codec(Coding::Gzip, error.to_string()))?;
            // Where the buffer is not full there was nothing more to write.
            if status == Status::StreamEnd || (out.len() < out.capacity() && flush != Flush::Finish) {
                return Ok(());
            }
            output::grow(out);
        }
    }
}
