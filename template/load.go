package template

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// LoadDir reads every template of a folder that holds a folder each, and
// layouts/. A folder that isn't there holds no templates.
func LoadDir(dir fs.FS) (map[string]*Template, Problems) {
	templates := map[string]*Template{}
	entries, err := fs.ReadDir(dir, ".")
	if errors.Is(err, fs.ErrNotExist) {
		return templates, nil
	}
	if err != nil {
		return templates, Problems{{File: "templates", Message: fmt.Sprintf("cannot be read: %s", err)}}
	}
	layouts, problems := loadFiles(dir, "layouts", "layouts/")
	for _, entry := range entries {
		name := entry.Name()
		if !entry.IsDir() || name == "layouts" || strings.HasPrefix(name, ".") {
			continue
		}
		files, unread := loadFiles(dir, name, "")
		problems = append(problems, unread...)
		for file, source := range layouts {
			files[file] = source
		}
		t, err := Parse(name, files)
		var wrong Problems
		if errors.As(err, &wrong) {
			problems = append(problems, wrong...)
			continue
		}
		templates[name] = t
	}
	return templates, problems.once()
}

// loadFiles reads the files of one folder under prefixed names.
func loadFiles(dir fs.FS, folder, prefix string) (map[string]string, Problems) {
	files := map[string]string{}
	var problems Problems
	entries, err := fs.ReadDir(dir, folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return files, Problems{{File: path.Join("templates", folder), Message: fmt.Sprintf("cannot be read: %s", err)}}
	}
	for _, entry := range entries {
		if entry.IsDir() || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		source, err := fs.ReadFile(dir, path.Join(folder, entry.Name()))
		if err != nil {
			problems = append(problems, Problem{File: path.Join("templates", folder, entry.Name()), Message: fmt.Sprintf("cannot be read: %s", err)})
			continue
		}
		files[prefix+entry.Name()] = string(source)
	}
	return files, problems
}

// once drops repetitions: a mistake in a layout is met in each of its templates.
func (ps Problems) once() Problems {
	seen := map[Problem]bool{}
	var out Problems
	for _, p := range ps {
		if !seen[p] {
			out = append(out, p)
		}
		seen[p] = true
	}
	return out
}
