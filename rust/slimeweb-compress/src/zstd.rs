//! zstd (RFC 8878).

use zstd::zstd_safe::zstd_sys::ZSTD_EndDirective;
use zstd::zstd_safe::{CCtx, CParameter, InBuffer, OutBuffer, get_error_name};

use crate::coding::Coding;
use crate::encoder::{Encoder, Error, Flush};
use crate::{output, window};

pub(crate) struct Zstd(CCtx<'static>);

impl Zstd {
    pub(crate) fn new(level: u32, length: Option<u64>) -> Result<Self, Error> {
        let mut context = CCtx::try_create().ok_or_else(|| Error::codec(Coding::Zstd, "out of memory"))?;
        let level = i32::try_from(level).unwrap_or(i32::MAX);
        context.set_parameter(CParameter::CompressionLevel(level)).map_err(failed)?;
        context.set_parameter(CParameter::WindowLog(window::bits(length))).map_err(failed)?;
        match length {
            Some(_) => context.set_pledged_src_size(length),
            // Tables as for a body of the window's size; they are for one without end otherwise.
            None => context.set_parameter(CParameter::SrcSizeHint(1 << window::STREAM_BITS)),
        }
        .map_err(failed)?;
        Ok(Self(context))
    }
}

impl Encoder for Zstd {
    fn encode(&mut self, data: &[u8], flush: Flush, out: &mut Vec<u8>) -> Result<(), Error> {
        let directive = match flush {
            Flush::None => ZSTD_EndDirective::ZSTD_e_continue,
            Flush::Sync => ZSTD_EndDirective::ZSTD_e_flush,
            Flush::Finish => ZSTD_EndDirective::ZSTD_e_end,
        };
        let mut input = InBuffer::around(data);
        output::prepare(out, data.len());
        loop {
            let position = out.len();
            let mut room = OutBuffer::around_pos(out, position);
            let left = self.0.compress_stream2(&mut room, &mut input, directive).map_err(failed)?;
            // For a flush or an end the library returns what it still holds; else only the input counts.
            let complete = if flush == Flush::None { input.pos() == data.len() } else { left == 0 };
            if complete {
                return Ok(());
            }
            output::grow(out);
        }
    }
}

fn failed(code: usize) -> Error {
    Error::codec(Coding::Zstd, get_error_name(code))
}
