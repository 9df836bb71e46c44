//! Follows a file that grows: a server's log, from where it ends now, over rotation and truncation.
//!
//! It looks when it is asked to and never waits. Deliberately not clever about a file that was cut short and has grown
//! beyond its old length before anyone looked: nothing but its content could tell, and its new beginning is then missed.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// What was found at a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A whole line, without what ends it. What is not UTF-8 in it is replaced.
    Line(String),
    /// There is no such file, or it cannot be read: why. Said once, until it appears.
    Missing(String),
    /// It is there, after it had been missing or had vanished. It is read from its beginning, or from where it was left
    /// if it is the same.
    Appeared,
    /// It was there and is gone. What its writer still adds to it, by whatever name, is still found.
    Vanished,
    /// Another file bears its name now, and is read from its beginning.
    Rotated,
    /// It became shorter than what had been read of it, and is read from its beginning.
    Truncated,
}

/// A file that is followed.
#[derive(Debug)]
pub struct Follow {
    path: PathBuf,
    /// The file as it was last opened.
    open: Option<Open>,
    /// Whether it was said that nothing bears the name.
    said_gone: bool,
    /// Where a file was left that could no longer be read.
    left: Option<(Identity, u64)>,
}

impl Follow {
    /// Begins to follow the file from where it ends now. A file that is not there yet is followed from its beginning,
    /// once it is.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let open = Open::at_end(&path).ok();
        Self { path, open, said_gone: false, left: None }
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is new since the last look, in its order. A last line that is not ended yet waits for its end. One look reads
    /// at most 8 MiB, and leaves the rest to the next.
    pub fn read(&mut self) -> Vec<Found> {
        let mut found = Vec::new();
        if let Some(open) = &mut self.open
            && let Err(error) = open.read(&mut found)
        {
            found.push(Found::Missing(error.to_string()));
            self.said_gone = true;
            self.left = Some((open.identity, open.position));
            self.open = None;
        }
        match Open::at_start(&self.path) {
            Ok(named) => self.compare(named, &mut found),
            Err(error) => self.gone(&error, &mut found),
        }
        found
    }

    /// Nothing that can be read bears the name.
    fn gone(&mut self, error: &io::Error, found: &mut Vec<Found>) {
        if !self.said_gone {
            self.said_gone = true;
            found.push(match self.open {
                Some(_) => Found::Vanished,
                None => Found::Missing(error.to_string()),
            });
        }
    }

    /// What bears the name now, beside what has been read so far.
    fn compare(&mut self, mut named: Open, found: &mut Vec<Found>) {
        let was_gone = std::mem::take(&mut self.said_gone);
        match &self.open {
            Some(open) if open.identity == named.identity => {
                if was_gone {
                    found.push(Found::Appeared);
                }
                return;
            }
            // It was never there, or could not be read for a while.
            None => {
                found.push(Found::Appeared);
                named.go_on_from(self.left.take());
            }
            Some(_) => found.push(if was_gone { Found::Appeared } else { Found::Rotated }),
        }
        let open = self.open.insert(named);
        // Should this fail, the next look finds it failing again and says so.
        let _: io::Result<()> = open.read(found);
    }
}

/// A file that is open, and how far it has been read.
#[derive(Debug)]
struct Open {
    file: File,
    identity: Identity,
    /// How much of it has been read.
    position: u64,
    /// The beginning of a line whose end has not been written yet.
    begun: Vec<u8>,
    /// Whether what comes up to the next end of a line is passed over: it is the rest of a line whose beginning is not
    /// known.
    skipping: bool,
}

impl Open {
    fn at_start(path: &Path) -> io::Result<Self> {
        // Looked at before it is opened: to open a pipe is to wait for its other end.
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        let file = File::open(path)?;
        let identity = identity(&file.metadata()?);
        Ok(Self { file, identity, position: 0, begun: Vec::new(), skipping: false })
    }

    fn at_end(path: &Path) -> io::Result<Self> {
        let mut open = Self::at_start(path)?;
        let end = open.file.metadata()?.len();
        open.seek(end)?;
        Ok(open)
    }

    /// Goes to this position. Unless a line ends there, the rest of its line is passed over.
    fn seek(&mut self, position: u64) -> io::Result<()> {
        let Some(before) = position.checked_sub(1) else { return Ok(()) };
        self.file.seek(SeekFrom::Start(before))?;
        let mut last = [b'\n'];
        self.file.read_exact(&mut last)?;
        self.position = position;
        self.skipping = last != [b'\n'];
        Ok(())
    }

    /// Goes to where this very file was left, if it is this one. Where that cannot be, it is read from its beginning.
    fn go_on_from(&mut self, left: Option<(Identity, u64)>) {
        let Some((identity, position)) = left else { return };
        if identity == self.identity && self.seek(position).is_err() {
            self.position = 0;
            let _: io::Result<u64> = self.file.seek(SeekFrom::Start(0));
        }
    }

    fn read(&mut self, found: &mut Vec<Found>) -> io::Result<()> {
        if self.file.metadata()?.len() < self.position {
            found.push(Found::Truncated);
            self.file.seek(SeekFrom::Start(0))?;
            (self.position, self.skipping) = (0, false);
            self.begun.clear();
        }
        let mut piece = vec![0; PIECE];
        for _ in 0..MOST_PIECES {
            let read = match self.file.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.position += read as u64;
            self.take(&piece[..read], found);
        }
        Ok(())
    }

    /// Takes lines out of what was read.
    fn take(&mut self, mut bytes: &[u8], found: &mut Vec<Found>) {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            self.add(&bytes[..end]);
            if !std::mem::take(&mut self.skipping) {
                let line = String::from_utf8_lossy(&self.begun);
                found.push(Found::Line(line.strip_suffix('\r').unwrap_or(&line).to_owned()));
            }
            self.begun.clear();
            bytes = &bytes[end + 1..];
        }
        self.add(bytes);
    }

    /// Adds to the line that has begun. One that grows beyond all reason tells no figures, and is passed over.
    fn add(&mut self, bytes: &[u8]) {
        if self.begun.len() + bytes.len() > LONGEST_LINE {
            self.begun = Vec::new();
            self.skipping = true;
        }
        if !self.skipping {
            self.begun.extend_from_slice(bytes);
        }
    }
}

/// What tells a file from another of the same name: its device and its number there.
type Identity = (u64, u64);

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
}

/// Elsewhere the moment of its creation has to do, where there is one.
#[cfg(not(unix))]
fn identity(metadata: &Metadata) -> Identity {
    let since = |moment: std::time::SystemTime| moment.duration_since(std::time::UNIX_EPOCH).ok();
    let created = metadata.created().ok().and_then(since).unwrap_or_default();
    (created.as_secs(), u64::from(created.subsec_nanos()))
}

const PIECE: usize = 64 << 10;
const MOST_PIECES: usize = 128;
const LONGEST_LINE: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write as _;

    use tempfile::TempDir;

    use super::Found::*;
    use super::*;

    struct Log {
        _folder: TempDir,
        path: PathBuf,
    }

    impl Log {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("server.log");
            Self { _folder: folder, path }
        }

        fn with(content: &[u8]) -> Self {
            let log = Self::new();
            log.add(content);
            log
        }

        fn add(&self, bytes: &[u8]) {
            let mut file = OpenOptions::new().create(true).append(true).open(&self.path).unwrap();
            file.write_all(bytes).unwrap();
        }

        fn set_aside(&self) -> PathBuf {
            let aside = self.path.with_extension("1");
            fs::rename(&self.path, &aside).unwrap();
            aside
        }
    }

    fn lines(found: &[Found]) -> Vec<&str> {
        found
            .iter()
            .map(|found| match found {
                Line(line) => line.as_str(),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn what_was_there_before_is_not_found() {
        let log = Log::with(b"old\n");
        let mut follow = Follow::new(&log.path);
        assert_eq!(follow.read(), []);
        log.add(b"new\nnewer\n");
        assert_eq!(lines(&follow.read()), ["new", "newer"]);
        assert_eq!(follow.read(), []);
    }

    #[test]
    fn a_half_written_line_waits_for_its_end() {
        let log = Log::with(b"");
        let mut follow = Follow::new(&log.path);
        log.add(b"one\ntw");
        assert_eq!(lines(&follow.read()), ["one"]);
        log.add(b"o\r\n");
        assert_eq!(lines(&follow.read()), ["two"]);
    }

    #[test]
    fn a_line_that_began_before_is_passed_over() {
        let log = Log::with(b"old and ");
        let mut follow = Follow::new(&log.path);
        log.add(b"its end\nnew\n");
        assert_eq!(lines(&follow.read()), ["new"]);
    }

    #[test]
    fn a_file_that_appears_later_is_read_from_its_beginning() {
        let log = Log::new();
        let mut follow = Follow::new(&log.path);
        assert!(matches!(follow.read()[..], [Missing(_)]));
        assert_eq!(follow.read(), []);
        log.add(b"first\n");
        assert_eq!(follow.read(), [Appeared, Line("first".into())]);
    }

    #[test]
    fn a_file_that_vanishes_is_still_read_and_then_its_successor() {
        let log = Log::with(b"");
        let mut follow = Follow::new(&log.path);
        let aside = log.set_aside();
        assert_eq!(follow.read(), [Vanished]);
        fs::write(&aside, "under its other name\n").unwrap();
        assert_eq!(lines(&follow.read()), ["under its other name"]);
        log.add(b"new\n");
        assert_eq!(follow.read(), [Appeared, Line("new".into())]);
    }

    #[test]
    fn a_file_that_comes_back_is_read_on() {
        let log = Log::with(b"old\n");
        let mut follow = Follow::new(&log.path);
        let aside = log.set_aside();
        assert_eq!(follow.read(), [Vanished]);
        fs::rename(aside, &log.path).unwrap();
        assert_eq!(follow.read(), [Appeared]);
        log.add(b"new\n");
        assert_eq!(lines(&follow.read()), ["new"]);
    }

    #[test]
    fn a_rotated_file_is_read_to_its_end_and_the_new_one_from_its_beginning() {
        let log = Log::with(b"old\n");
        let mut follow = Follow::new(&log.path);
        log.add(b"last\nhalf");
        log.set_aside();
        log.add(b"first\n");
        assert_eq!(follow.read(), [Line("last".into()), Rotated, Line("first".into())]);
        log.add(b"second\n");
        assert_eq!(lines(&follow.read()), ["second"]);
    }

    #[test]
    fn a_file_that_was_cut_short_is_read_from_its_new_beginning() {
        let log = Log::with(b"something long\n");
        let mut follow = Follow::new(&log.path);
        fs::write(&log.path, "short\n").unwrap();
        assert_eq!(follow.read(), [Truncated, Line("short".into())]);
    }

    #[test]
    fn a_line_without_end_is_passed_over_and_what_follows_is_found() {
        let log = Log::with(b"");
        let mut follow = Follow::new(&log.path);
        log.add(&vec![b'x'; 3 * LONGEST_LINE]);
        assert_eq!(follow.read(), []);
        log.add(b"\nnext\n");
        assert_eq!(lines(&follow.read()), ["next"]);
        let held = &follow.open.as_ref().unwrap().begun;
        assert!(held.capacity() <= 2 * LONGEST_LINE, "{}", held.capacity());
    }

    #[test]
    fn what_is_no_utf8_is_replaced() {
        let log = Log::with(b"");
        let mut follow = Follow::new(&log.path);
        log.add(b"a\xff\xfeb\n");
        assert_eq!(lines(&follow.read()), ["a\u{fffd}\u{fffd}b"]);
    }

    #[test]
    fn a_folder_is_no_log() {
        let folder = tempfile::tempdir().unwrap();
        let mut follow = Follow::new(folder.path());
        assert_eq!(follow.read(), [Missing("it is no regular file".into())]);
    }

    #[test]
    fn a_look_reads_so_much_and_no_more() {
        let log = Log::with(b"");
        let mut follow = Follow::new(&log.path);
        let line = [vec![b'x'; 1023], vec![b'\n']].concat();
        let most = MOST_PIECES * PIECE / line.len();
        log.add(&line.repeat(most + 1));
        assert_eq!(follow.read().len(), most);
        assert_eq!(follow.read().len(), 1);
    }
}
