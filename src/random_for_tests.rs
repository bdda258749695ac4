//! Random numbers for tests, which can be had again from their seed. Tests outside of the crate include this file, too.
#![allow(dead_code)]

/// A generator (xorshift64*), good enough to pick cases.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed | 1)
    }

    /// From the seed in DIVIDERE_TEST_SEED, or from the time; it is printed, and shown where the test fails.
    pub fn of_this_run() -> Random {
        let seed = match std::env::var("DIVIDERE_TEST_SEED") {
            Ok(seed) => seed.parse().expect("a number"),
            Err(_) => std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(1, |since| since.as_nanos() as u64),
        };
        println!("DIVIDERE_TEST_SEED={seed}");
        Random::new(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `limit`; 0 where that is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        // The upper bits are the better ones.
        (self.next() >> 11) % limit.max(1)
    }

    /// The same for an index.
    pub fn at(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.at(from.len())]
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}
