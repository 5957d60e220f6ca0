//! PNG charts of a scenario's points: lines over the label that varies, or bars where its values are no numbers.
//!
//! [`data`] picks what is drawn, `draw` puts the pixels down, this file makes PNGs of them.

pub mod data;
mod draw;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use plotters::style::{FontStyle, register_font};

use super::{Point, labels};

/// The package `fonts-dejavu-core` of Debian, and where other systems keep the same font.
const FONTS: &[&str] = &[
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf",
    "/usr/share/fonts/TTF/DejaVuSans.ttf",
];

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The charts.
    pub files: Vec<PathBuf>,
    /// One sentence that is to be passed on, if there is one.
    pub remark: Option<String>,
}

/// Draws every metric of every scenario whose points differ in something, a file each, into `folder`, which is made.
/// Files are called `<scenario>-<metric>.png`; further varying labels are in the name.
///
/// # Errors
/// One sentence with the file's name.
pub fn write(points: &[Point], folder: &Path) -> Result<Written, String> {
    let text = font();
    let mut written = Written::default();
    for (scenario, points) in labels::by_scenario(points) {
        for chart in data::charts(scenario, &points) {
            let file = folder.join(format!("{}.png", chart.name));
            let failed = |e: &dyn std::fmt::Display| format!("{} cannot be written: {e}", file.display());
            fs::create_dir_all(folder).map_err(|e| failed(&e))?;
            draw::draw(&chart, &file, text).map_err(|e| failed(&e))?;
            written.files.push(file);
        }
    }
    if !text && !written.files.is_empty() {
        written.remark = Some(
            "The charts have no text: there is no DejaVuSans.ttf; install the package fonts-dejavu-core.".to_owned(),
        );
    }
    Ok(written)
}

/// Registers the first font there is, once; false if there is none.
fn font() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| {
        FONTS.iter().filter_map(|file| fs::read(file).ok()).any(|bytes| {
            // plotters keeps fonts for the whole life of the process.
            register_font("sans-serif", FontStyle::Normal, Box::leak(bytes.into_boxed_slice())).is_ok()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::labels::samples::point;
    use super::*;

    fn sweep() -> Vec<Point> {
        let mut points = Vec::new();
        for (n, size) in [64u32, 128, 256, 512, 1024, 1514, 4096, 8514].into_iter().enumerate() {
            let x = 12.0 - n as f64;
            let p = point("mirror-sizes", &[("size", &size.to_string()), ("flows", "1024")])
                .with("vswitch", "service", "Mpps", &[x, x * 1.1, x * 0.95])
                .with("ovs-mirror", "service", "Mpps", &[x * 0.4, x * 0.35, x * 0.42]);
            let p = if n < 2 { p.bound() } else { p };
            points.push(p.with("cloop", "service", "Mpps", &[x * 0.7, x * 0.72, x * 0.69]));
        }
        for target in ["fast", "slow", "blocked"] {
            points.push(
                point("mirror-target", &[("target", target)])
                    .with("vswitch", "service", "Mpps", &[9.0, 9.2, 9.1])
                    .with("vswitch-off", "service", "Mpps", &[9.5, 9.6, 9.4])
                    .with("ovs-mirror", "service", "Mpps", &[4.0, 4.5, 4.2]),
            );
        }
        for rules in ["20", "60"] {
            for flows in ["1", "16", "1024", "16384", "65536", "262144", "1048576"] {
                let labels = [("flows", flows), ("rules", rules), ("size", "64")];
                let names = ["vswitch", "vswitch-off", "testpmd-packed", "ovs-mirror", "ovs-rules", "cloop"];
                let mut p = point("forward-flows", &labels);
                for (n, name) in names.into_iter().enumerate() {
                    let x = (0.2 + n as f64) / 10.0;
                    p = p.with(name, "service", "Mpps", &[x, x * 1.05]);
                }
                p.void = (flows == "16").then(|| "steal".to_owned());
                points.push(p);
            }
        }
        points
    }

    #[test]
    fn files_are_pngs_of_some_size() {
        let folder = tempfile::tempdir().unwrap();
        let folder = std::env::var_os("CHARTS").map_or(folder.path().to_owned(), PathBuf::from);
        let written = write(&sweep(), &folder).unwrap();
        let names: Vec<String> =
            written.files.iter().map(|f| f.file_name().unwrap().to_string_lossy().into_owned()).collect();
        assert_eq!(
            names,
            [
                "mirror-sizes-service.png",
                "mirror-target-service.png",
                "forward-flows-service-rules-20.png",
                "forward-flows-service-rules-60.png"
            ]
        );
        for file in &written.files {
            let bytes = fs::read(file).unwrap();
            assert!(bytes.starts_with(b"\x89PNG") && bytes.len() > 2000, "{}: {}", file.display(), bytes.len());
        }
        assert_eq!(written.remark.is_none(), font());
        // Without a font, too.
        for chart in sweep_charts() {
            draw::draw(&chart, &folder.join(format!("{}-bare.png", chart.name)), false).unwrap();
        }
    }

    fn sweep_charts() -> Vec<data::Chart> {
        let points = sweep();
        labels::by_scenario(&points).into_iter().flat_map(|(name, points)| data::charts(name, &points)).collect()
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_a_sentence() {
        let refused = write(&sweep(), Path::new("/proc/none")).unwrap_err();
        assert!(refused.starts_with("/proc/none/mirror-sizes-service.png cannot be written: "), "{refused}");
        assert_eq!(write(&[], Path::new("/proc/none")), Ok(Written::default()));
    }
}
