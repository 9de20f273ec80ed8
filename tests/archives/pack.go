// Packs the working directory with Go's archive/zip: `go run pack.go > ARCHIVE`.
package main

import (
	"archive/zip"
	"io/fs"
	"os"
	"path/filepath"
)

func main() {
	archive := zip.NewWriter(os.Stdout)
	must(filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		must(err)
		if path != "." {
			must(add(archive, path))
		}
		return nil
	}))
	must(archive.Close())
}

func add(archive *zip.Writer, path string) error {
	info, err := os.Lstat(path)
	must(err)
	header, err := zip.FileInfoHeader(info)
	must(err)
	header.Name, header.Method = path, zip.Deflate
	if info.IsDir() {
		header.Name, header.Method = path+"/", zip.Store
	}
	entry, err := archive.CreateHeader(header)
	must(err)
	var contents []byte
	switch {
	case info.IsDir():
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		must(err)
		contents = []byte(target)
	default:
		contents, err = os.ReadFile(path)
		must(err)
	}
	_, err = entry.Write(contents)
	return err
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
