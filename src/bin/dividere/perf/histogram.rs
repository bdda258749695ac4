//! Times in buckets whose width grows with the time: any number of them in a little memory, each told to 1.6 %.

use std::time::Duration;

/// Buckets for each power of two.
const PARTS: u64 = 64;
const PART_BITS: u32 = PARTS.trailing_zeros();

pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    sum_ns: u128,
    least_ns: u64,
    most_ns: u64,
}

impl Histogram {
    pub fn new() -> Histogram {
        Histogram {
            buckets: vec![0; bucket(u64::MAX) + 1],
            count: 0,
            sum_ns: 0,
            least_ns: u64::MAX,
            most_ns: 0,
        }
    }

    pub fn add(&mut self, time: Duration) {
        let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[bucket(ns)] += 1;
        self.count += 1;
        self.sum_ns += u128::from(ns);
        self.least_ns = self.least_ns.min(ns);
        self.most_ns = self.most_ns.max(ns);
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    pub fn mean_us(&self) -> f64 {
        self.sum_ns as f64 / self.count.max(1) as f64 / 1000.0
    }

    pub fn least_us(&self) -> f64 {
        self.least_ns.min(self.most_ns) as f64 / 1000.0
    }

    pub fn most_us(&self) -> f64 {
        self.most_ns as f64 / 1000.0
    }

    /// The time that this share of all did not exceed.
    pub fn quantile_us(&self, share: f64) -> f64 {
        let wanted = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (at, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return upper(at).clamp(self.least_ns, self.most_ns) as f64 / 1000.0;
            }
        }
        self.most_us()
    }
}

fn bucket(ns: u64) -> usize {
    if ns < PARTS {
        return ns as usize;
    }
    let shift = 63 - ns.leading_zeros() - PART_BITS;
    // The first of a power of two has PARTS in its highest bits.
    (u64::from(shift + 1) * PARTS + (ns >> shift) - PARTS) as usize
}

/// The longest time in a bucket.
fn upper(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < PARTS {
        return bucket;
    }
    let shift = bucket / PARTS - 1;
    let part = bucket % PARTS + PARTS;
    (part << shift) + ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_is_in_a_bucket_that_ends_close_behind_it() {
        for power in 0..64 {
            for ns in [
                1u64 << power,
                (1u64 << power) + 1,
                (1u64 << power).wrapping_mul(3),
                u64::MAX >> power,
            ] {
                let end = upper(bucket(ns));
                assert!(end >= ns && end - ns <= ns / PARTS, "{ns} in a bucket up to {end}");
                assert!(bucket(ns) == 0 || upper(bucket(ns) - 1) < ns);
            }
        }
    }

    #[test]
    fn quantiles_are_those_of_the_times() {
        let mut times = Histogram::new();
        for us in 1..=1000 {
            times.add(Duration::from_micros(us));
        }
        assert_eq!(times.count(), 1000);
        assert!((times.mean_us() - 500.5).abs() < 0.001);
        for (share, us) in [(0.5, 500.0), (0.9, 900.0), (0.99, 990.0), (1.0, 1000.0), (0.0, 1.0)] {
            let told = times.quantile_us(share);
            assert!((told - us).abs() <= us / 50.0, "{share}: {told}");
        }
        assert_eq!((times.least_us(), times.most_us()), (1.0, 1000.0));
        assert_eq!(Histogram::new().quantile_us(0.5), 0.0);
    }
}
