package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"scrip.dev/scrip/campaign"
)

// maxFile is the size in bytes from which a settings file is certainly none.
const maxFile = 1 << 20

// Load reads dir's scrip.yaml; env is os.Getenv or a stand-in. A folder without
// the file has the defaults. All that is wrong comes back at once as Problems.
func Load(dir string, env func(string) string) (*Config, error) {
	c := defaults()
	c.Dir = dir
	source, err := os.ReadFile(filepath.Join(dir, File))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("reading the settings: %w", err)
	}
	problems := c.parse(source, env)
	c.unreadable = slices.ContainsFunc(problems, func(p Problem) bool { return p.Key == "" })
	problems = append(problems, c.override(env)...)
	if c.PublicURL == "" {
		c.PublicURL = "http://" + c.Listen
	}
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	problems = append(problems, c.Validate()...)
	return c, problems.err()
}

func (c *Config) parse(source []byte, env func(string) string) (problems Problems) {
	top := campaign.Pos{File: File, Line: 1}
	if len(source) > maxFile {
		return Problems{{top, "", "larger than a megabyte; this is not a settings file"}}
	}
	// The YAML library panics on some malformed inputs.
	defer func() {
		if recover() != nil {
			problems = append(problems, Problem{top, "", "not valid YAML"})
		}
	}()
	file, err := parser.ParseBytes(source, 0)
	if err != nil {
		pos, message := positionOf(err)
		return Problems{{pos, "", "not valid YAML: " + message}}
	}
	r := &reader{config: c, env: env}
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.CommentType {
			continue
		}
		r.section("", doc.Body, rootKeys)
	}
	return r.problems
}

// reader walks the file and keeps going after a problem.
type reader struct {
	config   *Config
	env      func(string) string
	problems Problems
}

// key reads one key's value into the settings.
type key func(r *reader, path string, value ast.Node)

func (r *reader) report(path string, pos campaign.Pos, format string, args ...any) {
	r.problems = append(r.problems, Problem{pos, path, fmt.Sprintf(format, args...)})
}

// section reads a mapping whose keys are all known.
func (r *reader) section(path string, node ast.Node, keys map[string]key) {
	r.each(path, node, func(name, full string, pair *ast.MappingValueNode) {
		read, known := keys[name]
		if !known {
			if near := nearest(name, keys); near != "" {
				r.report(full, posOf(pair.Key), "unknown key; did you mean %s?", near)
				return
			}
			r.report(full, posOf(pair.Key), "unknown key; expected one of %s", listed(keys))
			return
		}
		read(r, full, pair.Value)
	})
}

// each visits the pairs of a mapping.
func (r *reader) each(path string, node ast.Node, visit func(name, full string, pair *ast.MappingValueNode)) {
	if node == nil || node.Type() == ast.NullType {
		return
	}
	pairs, ok := pairsOf(node)
	if !ok {
		r.report(path, posOf(node), "expected keys and values")
		return
	}
	for _, pair := range pairs {
		name := pair.Key.GetToken().Value
		full := strings.TrimPrefix(path+"."+name, ".")
		r.config.positions[full] = posOf(pair.Key)
		visit(name, full, pair)
	}
}

// decode reads a value strictly into a Go value, with variables expanded.
func (r *reader) decode(path string, node ast.Node, into any) bool {
	if !r.expand(path, node) {
		return false
	}
	if err := yaml.NodeToValue(node, into, yaml.Strict()); err != nil {
		r.report(path, posOf(node), "%s", expected(into))
		return false
	}
	return true
}

// expected says what a value should have been.
func expected(into any) string {
	switch into.(type) {
	case *bool:
		return "expected true or false"
	case *int:
		return "expected a whole number"
	case *[]string:
		return "expected a list of texts, such as [a, b]"
	}
	return "expected a text; put it in quotes if YAML takes it for something else"
}

// expand replaces the variables in every text below a node.
func (r *reader) expand(path string, node ast.Node) bool {
	failed := len(r.problems)
	switch n := node.(type) {
	case *ast.StringNode:
		value, err := expand(n.Value, r.env)
		if err != nil {
			r.report(path, posOf(node), "%s", err)
		}
		n.Value = value
	case *ast.SequenceNode:
		for _, item := range n.Values {
			r.expand(path, item)
		}
	default:
		if pairs, ok := pairsOf(node); ok {
			for _, pair := range pairs {
				r.expand(path+"."+pair.Key.GetToken().Value, pair.Value)
			}
		}
	}
	return failed == len(r.problems)
}

func pairsOf(node ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

func posOf(node ast.Node) campaign.Pos {
	if token := node.GetToken(); token != nil && token.Position != nil {
		return campaign.Pos{File: File, Line: token.Position.Line, Column: token.Position.Column}
	}
	return campaign.Pos{File: File}
}

func positionOf(err error) (campaign.Pos, string) {
	var located yaml.Error
	if errors.As(err, &located) {
		pos := campaign.Pos{File: File}
		if token := located.GetToken(); token != nil && token.Position != nil {
			pos.Line, pos.Column = token.Position.Line, token.Position.Column
		}
		return pos, located.GetMessage()
	}
	return campaign.Pos{File: File}, err.Error()
}
