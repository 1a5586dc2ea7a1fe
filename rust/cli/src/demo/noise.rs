//! Random numbers for the demo's feed: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
//!
//! Own lines, because the feed is to be the same in every build, which generators of libraries do not promise.

/// See the file's head.
#[derive(Clone, Debug)]
pub(super) struct Noise(u64);

impl Noise {
    pub(super) fn new(seed: u64) -> Noise {
        Noise(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0..bound`, all about equally likely.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// True once in `odds` times.
    pub(super) fn once_in(&mut self, odds: u64) -> bool {
        self.below(odds) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_numbers_are_those_of_the_paper() {
        let mut noise = Noise::new(1_234_567);
        assert_eq!(noise.next(), 6_457_827_717_110_365_317);
        assert_eq!(noise.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn numbers_stay_below_their_bound() {
        let mut noise = Noise::new(7);
        assert!((0..10_000).all(|_| noise.below(6) < 6));
        assert!((0..10_000).filter(|_| noise.once_in(4)).count().abs_diff(2_500) < 300);
    }
}
