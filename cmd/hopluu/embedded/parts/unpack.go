package parts

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/ulikunitz/xz"
)

const libraryName = "libchdb.so"

// unpackClickHouse takes the library out of npm's tarball, and gives the
// tarball's checksum. The file is written as it is read: the library is half
// a gigabyte.
func unpackClickHouse(ctx context.Context, archive, library string) (sum hash.Hash, err error) {
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	sum = newIntegrity()
	read := io.TeeReader(cancelReader{ctx, bufio.NewReaderSize(f, 1<<20)}, sum)
	unzipped, err := gzip.NewReader(read)
	if err != nil {
		return nil, err
	}
	files := tar.NewReader(unzipped)
	found := false
	for {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if path.Base(h.Name) != libraryName {
			continue
		}
		if err := writeFile(library, files); err != nil {
			return nil, err
		}
		found = true
	}
	if !found {
		return nil, fmt.Errorf("no %s in the archive", libraryName)
	}
	// The rest of the file belongs to the checksum too.
	if _, err := io.Copy(io.Discard, read); err != nil {
		return nil, err
	}
	return sum, nil
}

func writeFile(name string, from io.Reader) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Chmod(0o755), f.Close())
}

// unpackPostgres unpacks the .txz that is in the jar.
func unpackPostgres(ctx context.Context, jar, into string) (err error) {
	archive, err := zip.OpenReader(jar)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, archive.Close()) }()
	for _, f := range archive.File {
		if !strings.HasSuffix(f.Name, ".txz") {
			continue
		}
		content, err := f.Open()
		if err != nil {
			return err
		}
		decompressed, err := xz.NewReader(bufio.NewReaderSize(cancelReader{ctx, content}, 1<<20))
		if err != nil {
			return errors.Join(err, content.Close())
		}
		return errors.Join(unpackTar(decompressed, into), content.Close())
	}
	return errors.New("no .txz in the jar")
}

// unpackTar unpacks folders, files and links below into, whatever names the
// archive claims, readable by every user.
func unpackTar(from io.Reader, into string) (err error) {
	if err := os.Mkdir(into, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(into) // no entry gets out of it
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	if err := root.Chmod(".", 0o755); err != nil {
		return err
	}
	files := tar.NewReader(from)
	for {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := unpackEntry(root, h, files); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}

func unpackEntry(root *os.Root, h *tar.Header, content io.Reader) error {
	name := path.Clean(h.Name)
	if name == "." {
		return nil
	}
	if !filepath.IsLocal(name) {
		return errors.New("it lies outside of the archive's folder")
	}
	if err := makeDirs(root, path.Dir(name)); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return makeDirs(root, name)
	case tar.TypeSymlink:
		return root.Symlink(h.Linkname, name)
	case tar.TypeLink:
		return root.Link(path.Clean(h.Linkname), name)
	case tar.TypeReg:
		f, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, content)
		return errors.Join(err, f.Chmod(os.FileMode(h.Mode)&0o755|0o444), f.Close())
	}
	return fmt.Errorf("an entry of type %q is not expected here", h.Typeflag)
}

// makeDirs makes folders that other users may enter, whatever the umask.
func makeDirs(root *os.Root, name string) error {
	if name == "." {
		return nil
	}
	if info, err := root.Stat(name); err == nil && info.IsDir() {
		return nil
	}
	if err := makeDirs(root, path.Dir(name)); err != nil {
		return err
	}
	if err := root.Mkdir(name, 0o755); err != nil {
		return err
	}
	return root.Chmod(name, 0o755)
}
