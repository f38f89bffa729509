//! Instants of rows: nanoseconds since the Unix epoch as they come, microseconds and days as
//! they are stored.

/// Nanoseconds in a day.
const DAY_NS: i64 = 86_400_000_000_000;

/// Microseconds of a stored instant, rounded towards the past.
pub const fn micros(unix_ns: i64) -> i64 {
    unix_ns.div_euclid(1_000)
}

/// Days since 1970-01-01 in UTC: the `date` partition of an instant.
pub const fn day(unix_ns: i64) -> i32 {
    unix_ns.div_euclid(DAY_NS) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_before_the_epoch_fall_on_the_day_before() {
        assert_eq!(day(0), 0);
        assert_eq!(day(-1), -1);
        assert_eq!(micros(-1), -1);
        // 2026-11-25T00:00:00Z = 1795564800 s = day 20782
        assert_eq!(day(1_795_564_800_000_000_000), 20_782);
        assert_eq!(day(1_795_564_799_999_999_999), 20_781);
    }
}
