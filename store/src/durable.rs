//! Files that survive the machine: fsync of files and folders, and a local object store whose
//! puts are durable before they are visible. Takes paths and bytes; it does not know what is in
//! them.
//!
//! `object_store` 0.13 never fsyncs a local file: after a power cut an acknowledged object can
//! come back empty. delta-rs writes commits and checkpoints through an object store, so it gets
//! this one: write to a staged name, fsync, then link or rename, then fsync the folder.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    UploadPart,
};

use crate::{fault, paths};

/// Makes the names in a folder durable.
pub(crate) fn sync_dir(dir: &FsPath) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Creates a folder and its missing parents, durably.
pub(crate) fn create_dir(dir: &FsPath) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = dir.parent() {
        create_dir(parent)?;
    }
    match std::fs::create_dir(dir) {
        Ok(()) => dir.parent().map_or(Ok(()), sync_dir),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(e),
    }
}

/// The local file system as an object store with durable puts. Paths are absolute ones without
/// the leading slash, as delta-rs gives them for a `file://` table.
#[derive(Debug, Clone)]
pub(crate) struct DurableFolder {
    inner: Arc<LocalFileSystem>,
}

impl DurableFolder {
    /// The whole file system.
    pub(crate) fn new() -> Self {
        DurableFolder { inner: Arc::new(LocalFileSystem::new()) }
    }
}

impl std::fmt::Display for DurableFolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DurableFolder({})", self.inner)
    }
}

/// Puts `payload` at `path`; with `create` fails if the name is taken.
fn put(path: &FsPath, payload: &PutPayload, create: bool) -> io::Result<()> {
    let dir = path.parent().ok_or_else(|| io::Error::other("a file needs a folder"))?;
    create_dir(dir)?;
    let staged = paths::staged(path);
    let written = (|| {
        let mut file = File::create_new(&staged)?;
        for chunk in payload {
            file.write_all(chunk)?;
        }
        file.sync_all()?;
        if create {
            // A hard link is the one way to give a name atomically and only if it is free.
            std::fs::hard_link(&staged, path)
        } else {
            std::fs::rename(&staged, path)
        }
    })();
    if create || written.is_err() {
        // The staged name has done its work; if it stays, upkeep sweeps it.
        let _ = std::fs::remove_file(&staged);
    }
    written?;
    if create {
        fault::point(fault::AFTER_COMMIT_BEFORE_FSYNC);
    }
    sync_dir(dir)
}

fn store_error(path: &FsPath) -> impl FnOnce(io::Error) -> Error {
    let path = path.display().to_string();
    move |source| match source.kind() {
        io::ErrorKind::AlreadyExists => Error::AlreadyExists { path, source: source.into() },
        _ => Error::Generic { store: "DurableFolder", source: source.into() },
    }
}

#[async_trait]
impl ObjectStore for DurableFolder {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let create = match opts.mode {
            PutMode::Create => true,
            PutMode::Overwrite => false,
            PutMode::Update(_) => return self.inner.put_opts(location, payload, opts).await,
        };
        let path = self.inner.path_to_filesystem(location)?;
        tokio::task::spawn_blocking(move || {
            put(&path, &payload, create).map_err(store_error(&path))
        })
        .await??;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let path = self.inner.path_to_filesystem(location)?;
        let inner = self.inner.put_multipart_opts(location, opts).await?;
        Ok(Box::new(DurableUpload { inner, path }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// An upload in parts that is fsynced on completion.
#[derive(Debug)]
struct DurableUpload {
    inner: Box<dyn MultipartUpload>,
    path: PathBuf,
}

#[async_trait]
impl MultipartUpload for DurableUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.inner.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let done = self.inner.complete().await?;
        let path = self.path.clone();
        tokio::task::spawn_blocking(move || {
            let synced = File::open(&path)
                .and_then(|file| file.sync_all())
                .and_then(|()| path.parent().map_or(Ok(()), sync_dir));
            synced.map_err(store_error(&path))
        })
        .await??;
        Ok(done)
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt as _;

    use super::*;

    #[tokio::test]
    async fn a_name_is_given_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = DurableFolder::new();
        let path = Path::from_absolute_path(dir.path().join("log/1.json")).unwrap();
        let create = || PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        store.put_opts(&path, PutPayload::from_static(b"first"), create()).await.unwrap();
        let second = store.put_opts(&path, PutPayload::from_static(b"second"), create()).await;
        assert!(matches!(second, Err(Error::AlreadyExists { .. })), "{second:?}");
        let kept = store.get(&path).await.unwrap().bytes().await.unwrap();
        assert_eq!(kept.as_ref(), b"first");
        let names: Vec<_> = std::fs::read_dir(dir.path().join("log"))
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(names, ["1.json"], "no staged file stays behind");
    }

    #[tokio::test]
    async fn an_overwrite_replaces_the_whole_object() {
        let dir = tempfile::tempdir().unwrap();
        let store = DurableFolder::new();
        let path = Path::from_absolute_path(dir.path().join("_last_checkpoint")).unwrap();
        for text in ["a long first text", "short"] {
            store.put(&path, PutPayload::from(text.to_owned())).await.unwrap();
            let kept = store.get(&path).await.unwrap().bytes().await.unwrap();
            assert_eq!(kept.as_ref(), text.as_bytes());
        }
    }
}
