//! A table of text with aligned columns.
//!
//! What stands in a cell may come from a certificate, so characters that would steer a terminal
//! are never passed on.

use std::fmt;

/// Rows below a header, all with as many cells as it has.
pub(crate) struct Table<const N: usize> {
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// A table with this header and no rows.
    pub(crate) fn new(header: [&str; N]) -> Self {
        Self {
            rows: vec![header.map(str::to_uppercase)],
        }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| printable(&cell)));
    }
}

/// The text with control characters replaced.
pub(crate) fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| {
            let lengths = self.rows.iter().map(|row| row[column].chars().count());
            lengths.max().unwrap_or(0)
        };
        let widths: [usize; N] = std::array::from_fn(width);
        for row in &self.rows {
            let padded: Vec<_> = row
                .iter()
                .zip(widths)
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            writeln!(f, "{}", padded.join("  ").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligns_columns_and_steers_no_terminal() {
        let mut table = Table::new(["id", "issuer", "n"]);
        table.row(["bücher.example".into(), "x".into(), "1".into()]);
        table.row(["a".into(), "\u{1b}[2Jevil\n".into(), String::new()]);
        let text = table.to_string();
        let wanted = "\
ID              ISSUER     N
bücher.example  x          1
a               \u{fffd}[2Jevil\u{fffd}
";
        assert_eq!(text, wanted);
    }
}
