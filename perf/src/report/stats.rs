//! Medians, spreads and the ratio of two contenders with its confidence interval.
