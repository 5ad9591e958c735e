//! The screen as a picture or as text, from the cells that were drawn.

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};
use std::fmt::Write as _;

/// Pixels of a cell.
const CELL: (u16, u16) = (8, 17);

/// The screen as lines of text, without blanks at their ends.
pub(crate) fn text(screen: &Buffer) -> String {
    let mut out = String::new();
    for y in screen.area.top()..screen.area.bottom() {
        let line: String = (screen.area.left()..screen.area.right())
            .filter_map(|x| screen.cell((x, y)))
            .map(|c| c.symbol())
            .collect();
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The screen as SVG: runs of one style are one piece of text, so that it can be read and searched.
pub(crate) fn svg(screen: &Buffer, light: bool) -> String {
    let (width, height) = (screen.area.width * CELL.0 + 16, screen.area.height * CELL.1 + 16);
    let (ground, ink) = if light { ("#FCFCFA", "#14171B") } else { ("#14171B", "#E6E6E1") };
    let mut out = String::new();
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"13\" fill=\"{ink}\" \
         role=\"img\" aria-label=\"kvplan in a terminal\">\n<rect width=\"100%\" height=\"100%\" fill=\"{ground}\"/>\n"
    );
    for y in screen.area.top()..screen.area.bottom() {
        let mut run: Option<(u16, Style, String)> = None;
        for x in screen.area.left()..screen.area.right() {
            let Some(cell) = screen.cell((x, y)) else { continue };
            match &mut run {
                Some((_, style, text)) if *style == cell.style() => text.push_str(cell.symbol()),
                Some(_) | None => {
                    if let Some(done) = run.take() {
                        piece(&mut out, y, &done, (ground, ink));
                    }
                    run = Some((x, cell.style(), cell.symbol().to_owned()));
                }
            }
        }
        if let Some(done) = run {
            piece(&mut out, y, &done, (ground, ink));
        }
    }
    out.push_str("</svg>\n");
    out
}

fn piece(out: &mut String, y: u16, (x, style, text): &(u16, Style, String), (ground, ink): (&str, &str)) {
    let reversed = style.add_modifier.contains(Modifier::REVERSED);
    if text.trim().is_empty() && !reversed {
        return;
    }
    let columns = u16::try_from(text.chars().count()).unwrap_or(0);
    let own = style.fg.and_then(colour).unwrap_or_else(|| ink.to_owned());
    let (left, top, width) = (8 + x * CELL.0, 8 + y * CELL.1, columns * CELL.0);
    if reversed {
        let _ = writeln!(
            out,
            "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{}\" fill=\"{own}\"/>",
            CELL.1
        );
    }
    let fill = if reversed { ground.to_owned() } else { own };
    let bold = if style.add_modifier.contains(Modifier::BOLD) { " font-weight=\"bold\"" } else { "" };
    let under =
        if style.add_modifier.contains(Modifier::UNDERLINED) { " text-decoration=\"underline\"" } else { "" };
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let _ = writeln!(
        out,
        "<text x=\"{left}\" y=\"{}\" textLength=\"{width}\" lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\" \
         fill=\"{fill}\"{bold}{under}>{escaped}</text>",
        top + 13
    );
}

/// A colour of the 256 that terminals have, as they are usually set.
fn colour(colour: Color) -> Option<String> {
    let Color::Indexed(index) = colour else { return None };
    let level = |n: u8| if n == 0 { 0 } else { 55 + 40 * u32::from(n) };
    let (r, g, b) = match index {
        0..16 => return None,
        16..232 => {
            let n = index - 16;
            (level(n / 36), level(n / 6 % 6), level(n % 6))
        }
        232.. => {
            let grey = 8 + 10 * u32::from(index - 232);
            (grey, grey, grey)
        }
    };
    Some(format!("#{r:02X}{g:02X}{b:02X}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;

    #[test]
    fn colours_are_xterms() {
        assert_eq!(colour(Color::Indexed(69)), Some("#5F87FF".to_owned()));
        assert_eq!(colour(Color::Indexed(252)), Some("#D0D0D0".to_owned()));
    }

    #[test]
    fn a_picture_holds_the_text_escaped() {
        let mut screen = Buffer::empty(Rect::new(0, 0, 20, 2));
        screen.set_string(1, 1, "a < b & c", Style::new());
        assert_eq!(text(&screen), "\n a < b & c\n");
        assert!(svg(&screen, false).contains("a &lt; b &amp; c"));
    }
}
