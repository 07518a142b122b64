package cli

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// upload is a file on its way to the API.
type upload struct {
	io.ReadCloser
	size int64  // bytes; 0 is unknown
	kind string // Content-Type
}

// open opens a file, or what is piped in for "-". kinds are the Content-Types by
// format; the format follows from the file's name where it isn't given.
func (a *app) open(name, format string, kinds map[string]string) (*upload, error) {
	if format == "" {
		format = strings.TrimPrefix(strings.ToLower(filepath.Ext(name)), ".")
	}
	kind, known := kinds[format]
	if !known {
		return nil, usage("the format of %s can't be told from its name; pass --format with one of %s", name, strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
	}
	if name == "-" {
		return &upload{io.NopCloser(a.in), 0, kind}, nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("opening the file: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("opening the file: %w", err)
	}
	if info.IsDir() {
		return nil, usage("%s is a folder; name a file", name)
	}
	return &upload{file, info.Size(), kind}, nil
}
