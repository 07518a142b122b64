package integrations

import (
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// unknownField finds the key in the message of a field that isn't known.
var unknownField = regexp.MustCompile(`unknown field "(.*)"`)

// DecodeYAML decodes a connection's mapping, without the keys that every
// connection has, strictly into a vendor's settings: what Settings.Decode does.
// Its errors are Problems. They never quote the YAML, whose lines hold secrets,
// as the library's own would.
func DecodeYAML(mapping ast.Node, into any) error {
	err := yaml.NodeToValue(mapping, into, yaml.Strict())
	if err == nil {
		return nil
	}
	return readable(err, into)
}

// UnmarshalYAML takes a secret as it is written: 0123 stays text, where the
// library would read a number and write it anew.
func (s *Secret) UnmarshalYAML(node ast.Node) error {
	switch n := node.(type) {
	case *ast.StringNode:
		*s = Secret(n.Value)
	case *ast.LiteralNode:
		*s = Secret(n.Value.Value)
	case *ast.NullNode:
		*s = ""
	case ast.ScalarNode:
		*s = Secret(n.GetToken().Value)
	default:
		return errSecretKind
	}
	return nil
}

var errSecretKind = errors.New("reading a secret: write text")

func readable(err error, into any) error {
	var p Problems
	if errors.As(err, &p) {
		return p
	}
	if unknown, ok := errors.AsType[*yaml.UnknownFieldError](err); ok {
		if parts := unknownField.FindStringSubmatch(unknown.Message); parts != nil {
			p.Add(parts[1], "is not known; %s", nearest(parts[1], into))
			return p
		}
	}
	if mismatch, ok := errors.AsType[*yaml.TypeError](err); ok {
		key := "the connection"
		if mismatch.StructFieldName != nil {
			key = tagOf(into, *mismatch.StructFieldName)
		}
		p.Add(key, "has a value of the wrong kind; write %s", kindOf(mismatch.DstType))
		return p
	}
	if node, ok := errors.AsType[*yaml.UnexpectedNodeTypeError](err); ok {
		p.Add(keyBefore(node.Token), "has a value of the wrong kind; write a %s", strings.ToLower(node.Expected.YAMLName()))
		return p
	}
	if double, ok := errors.AsType[*yaml.DuplicateKeyError](err); ok && double.Token != nil {
		p.Add(double.Token.Value, "stands there twice; keep one of the two")
		return p
	}
	if errors.Is(err, errSecretKind) {
		p.Add("a secret", "is a list or a mapping; write text")
		return p
	}
	p.Add("the connection", "can't be read; write its settings as keys and values, durations like 15m")
	return p
}

// keyBefore finds the key whose value a token begins.
func keyBefore(value *token.Token) string {
	if value == nil || value.Prev == nil || value.Prev.Prev == nil || value.Prev.Type != token.MappingValueType {
		return "the connection"
	}
	return value.Prev.Prev.Value
}

func nearest(key string, into any) string {
	known := keysOf(into)
	closest := slices.MinFunc(known, func(a, b string) int {
		return levenshtein.ComputeDistance(a, key) - levenshtein.ComputeDistance(b, key)
	})
	if levenshtein.ComputeDistance(closest, key) <= 2 {
		return "did you mean " + closest + "?"
	}
	return "there are: " + strings.Join(known, ", ")
}

func keysOf(into any) []string {
	var keys []string
	for _, field := range reflect.VisibleFields(reflect.TypeOf(into).Elem()) {
		keys = append(keys, yamlName(field))
	}
	return keys
}

// tagOf gives the key of a field that the library names as Config.Field.
func tagOf(into any, path string) string {
	_, name, found := strings.Cut(path, ".")
	if !found {
		name = path
	}
	if field, ok := reflect.TypeOf(into).Elem().FieldByName(name); ok {
		return yamlName(field)
	}
	return path
}

func yamlName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
	return name
}

func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a number"
	case reflect.Slice:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "a mapping"
	default:
		return "text, in quotes if it looks like something else"
	}
}
