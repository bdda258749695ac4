//! In the place of libflate, in this workspace only: its releases that can be had need Rust 1.88, ours is 1.85. It serves the
//! build script of libsodium-sys-stable, which unpacks the libsodium that it bundles with `gzip::Decoder`.

pub mod gzip {
    use std::io::{self, Read};

    /// Reads the plain bytes of a gzip stream.
    pub struct Decoder<R>(flate2::read::GzDecoder<R>);

    impl<R: Read> Decoder<R> {
        /// Never fails: a bad header shows at the first read.
        pub fn new(inner: R) -> io::Result<Self> {
            Ok(Self(flate2::read::GzDecoder::new(inner)))
        }
    }

    impl<R: Read> Read for Decoder<R> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.0.read(buf)
        }
    }
}
