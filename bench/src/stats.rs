//! Medians, quartiles, ratios taken inside each round, and verdicts on bounds. Pure functions over `f64`.

use serde::Serialize;

/// Where the values of several rounds lie.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) lower_quartile: f64,
    pub(crate) upper_quartile: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) count: usize,
}

impl Spread {
    /// `None` without values or with one that is not finite.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        if values.is_empty() || !values.iter().all(|value| value.is_finite()) {
            return None;
        }
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        Some(Self {
            median: quantile(&sorted, 2, 4),
            lower_quartile: quantile(&sorted, 1, 4),
            upper_quartile: quantile(&sorted, 3, 4),
            min: quantile(&sorted, 0, 4),
            max: quantile(&sorted, 4, 4),
            count: sorted.len(),
        })
    }

    /// Inter-quartile range as a share of the median.
    pub(crate) fn relative_range(&self) -> f64 {
        let range = self.upper_quartile - self.lower_quartile;
        if range == 0.0 {
            0.0
        } else {
            range / self.median.abs()
        }
    }
}

/// The value `step/steps` of the way through sorted values, interpolated linearly between neighbours.
fn quantile(sorted: &[f64], step: usize, steps: usize) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let (index, rest) = (last * step / steps, last * step % steps);
    let low = sorted.get(index).copied().unwrap_or(f64::NAN);
    let high = sorted.get(index + 1).copied().unwrap_or(low);
    #[allow(clippy::cast_precision_loss, reason = "both are at most 4")]
    let share = rest as f64 / steps as f64;
    low + (high - low) * share
}

/// Ratios of values of the same round. `None` when the rounds do not match or a value is missing or not positive.
pub(crate) fn paired_ratio(values: &[f64], base: &[f64]) -> Option<Spread> {
    paired(values, base, |value, base| value / base)
}

/// Differences of values of the same round.
pub(crate) fn paired_difference(values: &[f64], base: &[f64]) -> Option<Spread> {
    paired(values, base, |value, base| value - base)
}

fn paired(values: &[f64], base: &[f64], combine: fn(f64, f64) -> f64) -> Option<Spread> {
    let usable = |value: &f64| *value > 0.0 && value.is_finite();
    if values.len() != base.len() || !values.iter().chain(base).all(usable) {
        return None;
    }
    let combined: Vec<f64> = values
        .iter()
        .zip(base)
        .map(|(value, base)| combine(*value, *base))
        .collect();
    Spread::of(&combined)
}

/// What a bound says about a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    /// The median is within the limit and the spread is small.
    Within,
    /// Within the limit, but the spread is too wide to rely on it.
    Noisy,
    /// The median is above the limit.
    Above,
    /// A call failed, so there is nothing to compare.
    Failed,
    /// A peer is not installed.
    Skipped,
}

impl Verdict {
    /// Judges a median against `limit`; `noise` is the largest relative range that is still quiet.
    pub(crate) fn of(measured: Option<&Spread>, limit: f64, noise: f64) -> Self {
        match measured {
            None => Self::Failed,
            Some(spread) if spread.median > limit => Self::Above,
            Some(spread) if spread.relative_range() > noise => Self::Noisy,
            Some(_) => Self::Within,
        }
    }

    /// Whether the run has to end with a failure.
    pub(crate) fn fails(self, required: bool) -> bool {
        match self {
            Self::Within | Self::Noisy => false,
            Self::Above | Self::Failed => true,
            Self::Skipped => required,
        }
    }

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Within => "ok",
            Self::Noisy => "ok, noisy",
            Self::Above => "ABOVE",
            Self::Failed => "FAILED CALLS",
            Self::Skipped => "skipped",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn close(left: f64, right: f64) {
        assert!((left - right).abs() < 1e-9, "{left} is not {right}");
    }

    #[test]
    fn quartiles_are_interpolated_and_order_does_not_matter() {
        let odd = Spread::of(&[5.0, 1.0, 4.0, 2.0, 3.0]).unwrap();
        close(odd.median, 3.0);
        close(odd.lower_quartile, 2.0);
        close(odd.upper_quartile, 4.0);
        close(odd.relative_range(), 2.0 / 3.0);
        let even = Spread::of(&[4.0, 1.0, 3.0, 2.0]).unwrap();
        close(even.median, 2.5);
        close(even.lower_quartile, 1.75);
        close(even.upper_quartile, 3.25);
        close(even.min, 1.0);
        close(even.max, 4.0);
        close(Spread::of(&[7.0]).unwrap().relative_range(), 0.0);
    }

    #[test]
    fn no_value_and_no_finite_value_have_no_spread() {
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[1.0, f64::NAN]), None);
        assert_eq!(Spread::of(&[1.0, f64::INFINITY]), None);
    }

    #[test]
    fn ratios_are_taken_inside_each_round() {
        // A machine that is twice as slow in round 2 changes nothing: every round says 1.5.
        let ratio = paired_ratio(&[15.0, 30.0, 18.0], &[10.0, 20.0, 12.0]).unwrap();
        close(ratio.median, 1.5);
        close(ratio.relative_range(), 0.0);
        // The ratio of the medians would be 2.0 here.
        let ratio = paired_ratio(&[10.0, 40.0, 90.0], &[10.0, 20.0, 90.0]).unwrap();
        close(ratio.median, 1.0);
        close(
            paired_difference(&[3.0, 5.0], &[1.0, 2.0]).unwrap().median,
            2.5,
        );
    }

    #[test]
    fn a_missing_or_impossible_round_gives_no_ratio() {
        assert_eq!(paired_ratio(&[1.0], &[1.0, 1.0]), None);
        assert_eq!(paired_ratio(&[1.0, 1.0], &[1.0, 0.0]), None);
        assert_eq!(paired_ratio(&[f64::NAN], &[1.0]), None);
        assert_eq!(paired_ratio(&[], &[]), None);
    }

    #[test]
    fn verdicts_follow_median_then_spread() {
        let quiet = Spread::of(&[1.4, 1.4, 1.4]);
        let noisy = Spread::of(&[1.0, 1.4, 1.9]);
        let above = Spread::of(&[1.6, 1.6, 1.6]);
        assert_eq!(Verdict::of(quiet.as_ref(), 1.5, 0.1), Verdict::Within);
        assert_eq!(Verdict::of(noisy.as_ref(), 1.5, 0.1), Verdict::Noisy);
        assert_eq!(Verdict::of(above.as_ref(), 1.5, 0.1), Verdict::Above);
        assert_eq!(Verdict::of(None, 1.5, 0.1), Verdict::Failed);
        assert!(Verdict::Above.fails(false) && Verdict::Failed.fails(false));
        assert!(!Verdict::Noisy.fails(true) && !Verdict::Skipped.fails(false));
        assert!(Verdict::Skipped.fails(true));
    }
}
