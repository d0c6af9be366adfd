//! Lines on standard output, coloured where someone looks: never in a file or a pipe, nor where
//! `NO_COLOR` is set.

use std::{
    fmt,
    io::{self, IsTerminal, Write},
};

use anyhow::Result;

/// Standard output.
#[derive(Debug)]
pub(crate) struct Screen {
    coloured: bool,
}

/// What a text is to look like: an ANSI "select graphic rendition" code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Blue,
    Magenta,
    Cyan,
}

/// A text in a style.
pub(crate) struct Styled<T>(Option<Style>, T);

impl Screen {
    /// Standard output, coloured if it is a terminal.
    pub(crate) fn stdout() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            coloured: wanted && io::stdout().is_terminal(),
        }
    }

    /// One without colours, for tests of what is written.
    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Self { coloured: false }
    }

    /// The text in this style, if there are colours at all.
    pub(crate) fn style<T>(&self, style: Style, text: T) -> Styled<T> {
        Styled(self.coloured.then_some(style), text)
    }

    /// Writes a line at once.
    pub(crate) fn line(&mut self, line: fmt::Arguments<'_>) -> Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{line}")?;
        Ok(out.flush()?)
    }
}

impl<T: fmt::Display> fmt::Display for Styled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(style, text) = self;
        let Some(style) = style else {
            return text.fmt(f);
        };
        let code = match style {
            Style::Bold => 1,
            Style::Dim => 2,
            Style::Red => 31,
            Style::Green => 32,
            Style::Yellow => 33,
            Style::Blue => 34,
            Style::Magenta => 35,
            Style::Cyan => 36,
        };
        write!(f, "\x1b[{code}m")?;
        text.fmt(f)?;
        f.write_str("\x1b[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_only_where_they_are_wanted() {
        let text = |coloured| Screen { coloured }.style(Style::Green, "ok").to_string();
        assert_eq!(text(true), "\x1b[32mok\x1b[0m");
        assert_eq!(text(false), "ok");
        let padded = format!("[{:6}]", Screen { coloured: true }.style(Style::Dim, "ok"));
        assert_eq!(
            padded, "[\x1b[2mok    \x1b[0m]",
            "padding is inside, so columns stand"
        );
    }
}
