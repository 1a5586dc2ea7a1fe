//! Logging to stderr, at the level that the environment asks for.

use tracing_subscriber::filter::LevelFilter;

/// Starts logging.
pub(crate) fn init() {
    let text = std::env::var("QADATASWAP_LOG_LEVEL").ok();
    let debug = std::env::var("QADATASWAP_DEBUG").ok();
    let (level, understood) = level(text.as_deref(), debug.as_deref());
    let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        .with_target(false)
        .init();
    if !understood {
        let got = text.unwrap_or_default();
        tracing::warn!(
            "QADATASWAP_LOG_LEVEL: expected TRACE, DEBUG, INFO, WARN or ERROR, got '{got}'; using WARN"
        );
    }
}

/// The level asked for, and whether it was understood.
fn level(level: Option<&str>, debug: Option<&str>) -> (LevelFilter, bool) {
    match level.map(str::to_ascii_uppercase).as_deref() {
        Some("TRACE") => (LevelFilter::TRACE, true),
        Some("DEBUG") => (LevelFilter::DEBUG, true),
        Some("INFO") => (LevelFilter::INFO, true),
        Some("WARN" | "WARNING") => (LevelFilter::WARN, true),
        Some("ERROR") => (LevelFilter::ERROR, true),
        None | Some("") if debug == Some("1") => (LevelFilter::DEBUG, true),
        None | Some("") => (LevelFilter::WARN, true),
        Some(_) => (LevelFilter::WARN, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_in_any_case() {
        assert_eq!(level(Some("debug"), None), (LevelFilter::DEBUG, true));
        assert_eq!(level(Some("Trace"), None), (LevelFilter::TRACE, true));
        assert_eq!(level(Some("loud"), None), (LevelFilter::WARN, false));
        assert_eq!(level(None, None), (LevelFilter::WARN, true));
    }

    #[test]
    fn debug_counts_only_without_a_level() {
        assert_eq!(level(None, Some("1")), (LevelFilter::DEBUG, true));
        assert_eq!(level(Some("ERROR"), Some("1")), (LevelFilter::ERROR, true));
        assert_eq!(level(None, Some("0")), (LevelFilter::WARN, true));
    }
}
