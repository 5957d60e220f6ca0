//! A chart's pixels.

use std::error::Error;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::data::{Axis, Chart};

/// Pixels of a chart.
const SIZE: (u32, u32) = (960, 540);
const FONT: &str = "sans-serif";

/// Colours that colour-blind people tell apart (Okabe and Ito), by the place of the contender.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(60, 60, 60),
];

type Canvas<'a> = DrawingArea<BitMapBackend<'a>, Shift>;
type Failed = Box<dyn Error>;

/// Draws into `file`; without `text` neither numbers nor names, for there is no font.
pub fn draw(chart: &Chart, file: &Path, text: bool) -> Result<(), Failed> {
    let canvas = BitMapBackend::new(file, SIZE).into_drawing_area();
    canvas.fill(&WHITE)?;
    match &chart.axis {
        Axis::Numbers { values, log } => lines(chart, &canvas, values, *log, text)?,
        Axis::Words(words) => bars(chart, &canvas, words, text)?,
    }
    canvas.present()?;
    Ok(())
}

fn colour(n: usize) -> RGBColor {
    COLOURS.get(n % COLOURS.len()).copied().unwrap_or(BLACK)
}

/// Where a value lies on the axis: 0 is the first, 1 the last one.
fn place(values: &[f64], log: bool) -> Vec<f64> {
    let scale = |v: f64| if log { v.log2() } else { v };
    let (first, last) = (values.first().copied().unwrap_or(0.0), values.last().copied().unwrap_or(1.0));
    let width = (scale(last) - scale(first)).max(f64::MIN_POSITIVE);
    values.iter().map(|v| (scale(*v) - scale(first)) / width).collect()
}

fn lines(chart: &Chart, canvas: &Canvas<'_>, values: &[f64], log: bool, text: bool) -> Result<(), Failed> {
    let places = place(values, log);
    let label = if log { format!("{}, logarithmic", chart.label) } else { chart.label.clone() };
    let frame = Frame::new(chart, canvas, &label, -0.04..1.04, text)?;
    let mut ticks: Vec<(f64, String)> = Vec::new();
    for (at, value) in places.iter().zip(values) {
        // Values that lie too close together share one number.
        if ticks.last().is_none_or(|(last, _)| at - last > 0.045) {
            ticks.push((*at, number(*value)));
        }
    }
    frame.ticks(&ticks)?;
    for (n, line) in chart.lines.iter().enumerate() {
        let points: Vec<(f64, &(usize, _, bool))> =
            line.values.iter().filter_map(|v| places.get(v.0).map(|x| (*x, v))).collect();
        // Lines lie a pixel or two beside each other, so that whiskers can be told apart.
        let beside = n as i32 * 3 - (chart.lines.len() as i32 - 1) * 3 / 2;
        let at = |x: f64, y: f64| {
            let (x, y) = frame.pixel(x, y);
            (x + beside, y)
        };
        let path: Vec<(i32, i32)> = points.iter().map(|(x, (_, s, _))| at(*x, s.median)).collect();
        canvas.draw(&PathElement::new(path, colour(n).stroke_width(2)))?;
        for (x, (_, s, bound)) in &points {
            whisker(canvas, at(*x, s.min), at(*x, s.max), colour(n))?;
            dot(canvas, at(*x, s.median), *bound, colour(n))?;
        }
    }
    frame.legend()
}

fn bars(chart: &Chart, canvas: &Canvas<'_>, words: &[String], text: bool) -> Result<(), Failed> {
    let frame = Frame::new(chart, canvas, &chart.label, -0.5..words.len() as f64 - 0.5, text)?;
    let ticks: Vec<(f64, String)> = words.iter().enumerate().map(|(n, word)| (n as f64, word.clone())).collect();
    frame.ticks(&ticks)?;
    let width = 0.76 / chart.lines.len().max(1) as f64;
    for (n, line) in chart.lines.iter().enumerate() {
        for (at, s, bound) in &line.values {
            let left = *at as f64 - 0.38 + n as f64 * width;
            let corners = [frame.pixel(left + width * 0.05, s.median), frame.pixel(left + width * 0.95, 0.0)];
            let fill = if *bound { colour(n).mix(0.5).filled() } else { colour(n).filled() };
            canvas.draw(&Rectangle::new(corners, fill))?;
            let middle = left + width / 2.0;
            whisker(canvas, frame.pixel(middle, s.min), frame.pixel(middle, s.max), BLACK)?;
        }
    }
    frame.legend()
}

/// From the least to the most, with short ends.
fn whisker(canvas: &Canvas<'_>, low: (i32, i32), high: (i32, i32), colour: RGBColor) -> Result<(), Failed> {
    let line = |from, to| PathElement::new(vec![from, to], colour);
    canvas.draw(&line(low, high))?;
    for (x, y) in [low, high] {
        canvas.draw(&line((x - 4, y), (x + 4, y)))?;
    }
    Ok(())
}

/// Full, or hollow where it is a lower bound.
fn dot(canvas: &Canvas<'_>, at: (i32, i32), bound: bool, colour: RGBColor) -> Result<(), Failed> {
    if bound {
        canvas.draw(&Circle::new(at, 5, WHITE.filled()))?;
        canvas.draw(&Circle::new(at, 5, colour.stroke_width(2)))?;
    } else {
        canvas.draw(&Circle::new(at, 4, colour.filled()))?;
    }
    Ok(())
}

/// The axes around a chart.
struct Frame<'a, 'b> {
    chart: &'a Chart,
    canvas: &'a Canvas<'b>,
    /// Left, top, right, bottom: pixels of the plot.
    plot: (i32, i32, i32, i32),
    x: std::ops::Range<f64>,
    top: f64,
    text: bool,
}

impl<'a, 'b> Frame<'a, 'b> {
    /// Heading, axes and horizontal lines.
    fn new(
        chart: &'a Chart,
        canvas: &'a Canvas<'b>,
        label: &str,
        x: std::ops::Range<f64>,
        text: bool,
    ) -> Result<Self, Failed> {
        let step = step(chart.top());
        // The whole steps that hold the largest value.
        let top = step * (chart.top() / step).ceil().max(1.0);
        let plot = (80, 60, SIZE.0 as i32 - 190, SIZE.1 as i32 - 62);
        let frame = Frame { chart, canvas, plot, x, top, text };
        let (left, up, right, down) = plot;
        for n in 0..=(top / step).round() as i32 {
            let value = f64::from(n) * step;
            let (_, y) = frame.pixel(0.0, value);
            canvas.draw(&PathElement::new(vec![(left, y), (right, y)], RGBColor(222, 222, 222)))?;
            frame.write(&number(value), (left - 8, y), 15, Place::Left)?;
        }
        canvas.draw(&PathElement::new(vec![(left, up), (left, down), (right, down)], BLACK.stroke_width(1)))?;
        frame.write(&chart.title, (left - 60, 18), 20, Place::Right)?;
        frame.write(&chart.measure, (left - 60, up - 18), 14, Place::Right)?;
        frame.write(label, ((left + right) / 2, down + 42), 16, Place::Below)?;
        Ok(frame)
    }

    /// The pixel of a point of the chart.
    fn pixel(&self, x: f64, y: f64) -> (i32, i32) {
        let (left, up, right, down) = self.plot;
        let across = (x - self.x.start) / (self.x.end - self.x.start);
        (left + (across * f64::from(right - left)) as i32, down - (y / self.top * f64::from(down - up)) as i32)
    }

    fn ticks(&self, ticks: &[(f64, String)]) -> Result<(), Failed> {
        for (at, name) in ticks {
            let (x, y) = self.pixel(*at, 0.0);
            self.canvas.draw(&PathElement::new(vec![(x, y), (x, y + 5)], BLACK))?;
            self.write(name, (x, y + 16), 14, Place::Below)?;
        }
        Ok(())
    }

    /// A colour and a name each, right of the plot.
    fn legend(&self) -> Result<(), Failed> {
        let (_, up, right, _) = self.plot;
        for (n, line) in self.chart.lines.iter().enumerate() {
            let (x, y) = (right + 16, up + 14 + n as i32 * 24);
            self.canvas.draw(&Rectangle::new([(x, y - 6), (x + 12, y + 6)], colour(n).filled()))?;
            self.write(&line.name, (x + 20, y), 15, Place::Right)?;
        }
        let mut notes = vec!["median, min to max".to_owned()];
        if self.chart.lines.iter().flat_map(|l| &l.values).any(|(_, _, bound)| *bound) {
            let kind = if matches!(self.chart.axis, Axis::Words(_)) { "pale" } else { "hollow" };
            notes.push(format!("{kind}: lower bound"));
        }
        if self.chart.void > 0 {
            notes.push(format!("void: {} (see the table)", self.chart.void));
        }
        for (n, note) in notes.iter().enumerate() {
            let y = up + 20 + (self.chart.lines.len() * 24 + n * 18) as i32;
            self.write(note, (right + 16, y), 12, Place::Right)?;
        }
        Ok(())
    }

    fn write(&self, text: &str, at: (i32, i32), size: i32, place: Place) -> Result<(), Failed> {
        use plotters::style::text_anchor::{HPos, Pos, VPos};
        if !self.text {
            return Ok(());
        }
        let horizontal = match place {
            Place::Left => HPos::Right,
            Place::Right => HPos::Left,
            Place::Below => HPos::Center,
        };
        let style = TextStyle::from((FONT, size).into_font()).color(&BLACK).pos(Pos::new(horizontal, VPos::Center));
        // plotters takes the middle of the letters to be lower than it is.
        self.canvas.draw(&Text::new(text.to_owned(), (at.0, at.1 + size / 6), style))?;
        Ok(())
    }
}

/// Where text stands beside its point.
#[derive(Clone, Copy)]
enum Place {
    Left,
    Right,
    Below,
}

/// A round step that makes four to ten lines.
fn step(top: f64) -> f64 {
    if top <= 0.0 || !top.is_finite() {
        return 1.0;
    }
    let power = 10f64.powf((top / 5.0).log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|n| n * power).filter(|s| top / s <= 8.0).fold(power * 10.0, f64::min)
}

/// A tick's number: 65536 as 64 k where it is a power of two, 20000 as it is.
fn number(value: f64) -> String {
    const K: f64 = 1024.0;
    if value >= 16.0 * K && value % K == 0.0 {
        return if value % (K * K) == 0.0 { format!("{} M", value / (K * K)) } else { format!("{} k", value / K) };
    }
    // Steps such as 0.1 + 0.2 are not to show their last bits.
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_few() {
        for (top, wanted) in [(0.0, 1.0), (11.6, 2.0), (4.1, 1.0), (0.37, 0.05), (150.0, 20.0), (100.0, 20.0)] {
            assert!((step(top) - wanted).abs() < 1e-9, "{top}: {}", step(top));
        }
        for n in 1..2000 {
            let top = f64::from(n) * 0.37;
            assert!((3.0..=8.01).contains(&(top / step(top))), "{top}: {}", step(top));
        }
    }

    #[test]
    fn numbers_of_ticks() {
        let numbers = [0.0, 0.30000000000000004, 64.0, 1514.0, 16384.0, 20000.0, 1048576.0].map(number);
        assert_eq!(numbers, ["0", "0.3", "64", "1514", "16 k", "20000", "1 M"]);
    }

    #[test]
    fn places_on_both_scales() {
        assert_eq!(place(&[1.0, 1024.0, 1048576.0], true), [0.0, 0.5, 1.0]);
        assert_eq!(place(&[0.0, 1.0, 10.0], false), [0.0, 0.1, 1.0]);
    }
}
