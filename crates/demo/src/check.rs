//! Every scenario in turn, one line each.

use std::time::Instant;

use anyhow::Result;
use certfleet_testkit::scenario;

use crate::screen::{Screen, Style};

/// Runs all scenarios; `false` if one of them failed.
pub(crate) async fn run(screen: &mut Screen) -> Result<bool> {
    let start = Instant::now();
    let mut failed = 0;
    for scenario in scenario::ALL {
        let begun = Instant::now();
        let result = scenario.run().await;
        let time = format!("{:.1} s", begun.elapsed().as_secs_f64());
        let (mark, words) = match result {
            Ok(figures) => (screen.style(Style::Green, "ok  "), figures),
            Err(error) => {
                failed += 1;
                (screen.style(Style::Red, "FAIL"), format!("{error:#}"))
            }
        };
        let shows = screen.style(Style::Bold, scenario.shows);
        screen.line(format_args!("{mark} {shows} [{time}]\n     {words}"))?;
    }
    let count = scenario::ALL.len();
    let took = start.elapsed().as_secs_f64();
    screen.line(format_args!(
        "{} of {count} hold, after {took:.0} s",
        count - failed
    ))?;
    Ok(failed == 0)
}
