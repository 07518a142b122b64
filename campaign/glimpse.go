package campaign

import "github.com/goccy/go-yaml"

// Glimpse is what can be told of a campaign's document that Parse doesn't
// understand: a newer build's, say.
type Glimpse struct {
	Name     string
	Triggers []string // event types that start it; "manual" for those started by hand
	Rules    []Rule   // events that its journeys may listen to, without conditions and ids
}

// Look reads a document as far as it can be read. What it can't make out is left
// empty.
func Look(document []byte) Glimpse {
	var file struct {
		Name    string `yaml:"campaign"`
		Trigger any    `yaml:"trigger"`
		Exit    any    `yaml:"exit"`
		Steps   any    `yaml:"steps"`
	}
	if yaml.Unmarshal(document, &file) != nil {
		return Glimpse{}
	}
	g := Glimpse{Name: file.Name, Rules: []Rule{{Events: []string{eventRedeemed}}}}
	switch trigger := file.Trigger.(type) {
	case string:
		g.Triggers = []string{trigger}
	case map[string]any:
		g.Triggers = words(trigger["event"])
	}
	g.collect(file.Exit)
	g.collect(file.Steps)
	return g
}

// collect finds the events that are named anywhere below a node.
func (g *Glimpse) collect(node any) {
	switch node := node.(type) {
	case []any:
		for _, item := range node {
			g.collect(item)
		}
	case map[string]any:
		if events := words(node["event"]); len(events) > 0 {
			match, _ := node["match"].(string)
			g.Rules = append(g.Rules, Rule{Events: events, Match: match})
		}
		for _, value := range node {
			g.collect(value)
		}
	}
}

// words gives one text or a list of them.
func words(node any) []string {
	switch node := node.(type) {
	case string:
		return []string{node}
	case []any:
		var list []string
		for _, item := range node {
			list = append(list, words(item)...)
		}
		return list
	}
	return nil
}
