//! brotli (RFC 7932).

use brotli::enc::StandardAlloc;
use brotli::enc::encode::{
    BrotliEncoderDestroyInstance, BrotliEncoderOperation, BrotliEncoderParameter, BrotliEncoderStateStruct,
};

use crate::coding::Coding;
use crate::encoder::{Encoder, Error, Flush};
use crate::{output, window};

/// What is read of a call's output at a time, in bytes.
const PIECE: usize = 16 * 1024;

pub(crate) struct Brotli {
    state: BrotliEncoderStateStruct<StandardAlloc>,
    piece: Box<[u8]>,
}

impl Brotli {
    pub(crate) fn new(level: u32, length: Option<u64>) -> Self {
        let mut state = BrotliEncoderStateStruct::new(StandardAlloc::default());
        state.set_parameter(BrotliEncoderParameter::BROTLI_PARAM_QUALITY, level);
        let bits = window::bits(length);
        // With a smaller window the library's higher levels choose match finders that it does not have, at 32 MiB for
        // each body.
        let bits = if level < 5 { bits } else { bits.max(17) };
        state.set_parameter(BrotliEncoderParameter::BROTLI_PARAM_LGWIN, bits);
        if let Some(hint) = length.and_then(|length| u32::try_from(length).ok()) {
            state.set_parameter(BrotliEncoderParameter::BROTLI_PARAM_SIZE_HINT, hint);
        }
        let piece =
            length.and_then(|length| usize::try_from(length).ok()).map_or(PIECE, |length| length.clamp(1024, PIECE));
        Self { state, piece: vec![0; piece].into_boxed_slice() }
    }
}

impl Encoder for Brotli {
    fn encode(&mut self, data: &[u8], flush: Flush, out: &mut Vec<u8>) -> Result<(), Error> {
        let operation = match flush {
            Flush::None => BrotliEncoderOperation::BROTLI_OPERATION_PROCESS,
            Flush::Sync => BrotliEncoderOperation::BROTLI_OPERATION_FLUSH,
            Flush::Finish => BrotliEncoderOperation::BROTLI_OPERATION_FINISH,
        };
        let (mut left, mut taken) = (data.len(), 0);
        output::prepare(out, data.len());
        loop {
            let (mut room, mut written) = (self.piece.len(), 0);
            let before = left;
            let done = self.state.compress_stream(
                operation,
                &mut left,
                data,
                &mut taken,
                &mut room,
                &mut self.piece,
                &mut written,
                &mut None,
                &mut |_, _, _, _| (),
            );
            if !done {
                return Err(Error::codec(Coding::Brotli, "the encoder refused its input"));
            }
            out.extend_from_slice(self.piece.get(..written).unwrap_or_default());
            let complete = left == 0 && !self.state.has_more_output();
            if complete && (flush != Flush::Finish || self.state.is_finished()) {
                return Ok(());
            }
            if left == before && written == 0 {
                return Err(Error::codec(Coding::Brotli, "the encoder stands still"));
            }
        }
    }
}

impl Drop for Brotli {
    fn drop(&mut self) {
        // The state frees nothing by itself. Output that is pending is not flushed first: no client is there to read
        // it.
        BrotliEncoderDestroyInstance(&mut self.state);
    }
}
