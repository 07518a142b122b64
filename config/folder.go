package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/template"
)

// Folder is what a project folder holds besides its settings.
type Folder struct {
	Files     []*campaign.File
	Templates map[string]*template.Template
}

const (
	templatesDir = "templates"
	layoutsDir   = "layouts"
	maxFolder    = 16 << 20 // bytes of all files together
)

// documentDirs hold YAML documents; any of them may hold any kind.
var documentDirs = []string{"campaigns", "coupons", "segments"}

// ReadFolder gives the files of a project folder that are applied, by their
// path with forward slashes: campaigns/cart-recovery.yaml.
func ReadFolder(dir string) (map[string]string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the project folder: %w", err)
	}
	defer root.Close()
	files, total := map[string]string{}, 0
	for _, sub := range append(slices.Clone(documentDirs), templatesDir) {
		err := fs.WalkDir(root.FS(), sub, func(name string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if strings.HasPrefix(path.Base(name), ".") {
				if entry.IsDir() {
					return fs.SkipDir
				}
				return nil
			}
			if entry.IsDir() || !applied(name) {
				return nil
			}
			text, err := fs.ReadFile(root.FS(), name)
			if err != nil {
				return err
			}
			files[name] = string(text)
			if total += len(text); total > maxFolder {
				return fmt.Errorf("the files are larger than %d MB together", maxFolder>>20)
			}
			return nil
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("reading the project folder: %w", err)
		}
	}
	return files, nil
}

// applied says whether a path is one of a project's documents or templates.
func applied(name string) bool {
	dir, _, _ := strings.Cut(name, "/")
	if dir == templatesDir {
		return strings.Count(name, "/") == 2 && slices.Contains([]string{".html", ".txt"}, path.Ext(name))
	}
	return slices.Contains(documentDirs, dir) && slices.Contains([]string{".yaml", ".yml"}, path.Ext(name))
}

// Compose parses a project's files and checks them together: that they are
// right each, and that what one names another has. It returns what could be read
// and all that is wrong, warnings too.
func (c *Config) Compose(files map[string]string) (*Folder, campaign.Problems) {
	folder := &Folder{Templates: map[string]*template.Template{}}
	var problems campaign.Problems
	templates, layouts := map[string]map[string]string{}, map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		switch {
		case !applied(name):
			problems = append(problems, campaign.Problem{Pos: campaign.Pos{File: cmp.Or(name, `""`), Line: 1, Column: 1},
				Message: "not a file of a project; expected campaigns/, coupons/ or segments/ with .yaml files, or templates/NAME/ with email.html, email.txt and sms.txt"})
		case strings.HasPrefix(name, templatesDir+"/"):
			parts := strings.Split(name, "/")
			if parts[1] == layoutsDir {
				layouts[layoutsDir+"/"+parts[2]] = files[name]
				continue
			}
			if templates[parts[1]] == nil {
				templates[parts[1]] = map[string]string{}
			}
			templates[parts[1]][parts[2]] = files[name]
		default:
			file, found := campaign.Parse(name, []byte(files[name]))
			problems = append(problems, found...)
			folder.Files = append(folder.Files, file)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(templates)) {
		maps.Copy(templates[name], layouts)
		parsed, err := template.Parse(name, templates[name])
		if err != nil {
			for _, problem := range templateProblems(name, err) {
				// A mistake in a layout is met in each of its templates.
				if !slices.Contains(problems, problem) {
					problems = append(problems, problem)
				}
			}
			continue
		}
		folder.Templates[name] = parsed
	}
	// What refers to a document that has mistakes of its own would be told that
	// it doesn't exist.
	if problems.Err() == nil {
		problems = append(problems, campaign.Link(folder.Files, c.References(folder.Templates))...)
	}
	return folder, problems
}

// References is what campaigns may refer to.
func (c *Config) References(templates map[string]*template.Template) campaign.Project {
	project := campaign.Project{
		Templates:   map[string]campaign.Template{},
		Connections: map[string]string{},
		Teams:       slices.Sorted(maps.Keys(c.Teams)),
		Currency:    c.Currency,
		TimeZone:    c.TimeZone,
		Liquid: func(text string) ([]string, error) {
			parsed, err := template.ParseText(text)
			if err != nil {
				return nil, err
			}
			return parsed.Variables(), nil
		},
	}
	for name, parsed := range templates {
		project.Templates[name] = parsed
	}
	for name, connection := range c.Connections {
		project.Connections[name] = connection.Kind
	}
	return project
}

func templateProblems(name string, err error) campaign.Problems {
	var found template.Problems
	if !errors.As(err, &found) {
		return campaign.Problems{{Pos: campaign.Pos{File: templatesDir + "/" + name, Line: 1, Column: 1}, Message: err.Error()}}
	}
	problems := make(campaign.Problems, len(found))
	for i, p := range found {
		problems[i] = campaign.Problem{Pos: campaign.Pos{File: p.File, Line: max(p.Line, 1), Column: 1}, Message: p.Message}
	}
	return problems
}
