package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"scrip.dev/scrip/config"
)

// rendering is what previews and tests have in common.
type rendering struct {
	channel, contact, variables string
}

func (r *rendering) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&r.channel, "channel", "", "email or sms; default: the first that the template has a text for")
	flags.StringVar(&r.contact, "contact", "", "whose name and attributes are printed; default: samples")
	flags.StringVar(&r.variables, "variables", "", `in place of samples, as JSON: '{"trigger": {"total": 80}}'`)
}

// body is what the API renders from: the folder's texts where there are any, so
// that a change shows before it is applied.
func (r *rendering) body(cmd *cobra.Command, a *app, name string) (map[string]any, error) {
	body := map[string]any{}
	if r.channel != "" {
		body["channel"] = r.channel
	}
	if r.contact != "" {
		id, err := a.findContact(cmd.Context(), r.contact)
		if err != nil {
			return nil, err
		}
		body["contact"] = id
	}
	if r.variables != "" {
		variables, err := templateVariables(r.variables)
		if err != nil {
			return nil, err
		}
		body["variables"] = variables
	}
	files, err := config.ReadFolder(a.project)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	texts := map[string]string{}
	own := false
	for path, text := range files {
		if rest, ok := strings.CutPrefix(path, "templates/"+name+"/"); ok {
			texts[rest], own = text, true
		} else if strings.HasPrefix(path, "templates/layouts/") {
			texts[strings.TrimPrefix(path, "templates/")] = text
		}
	}
	if own {
		body["files"] = texts
	}
	return body, nil
}

func (a *app) templateCommand() *cobra.Command {
	var r rendering
	var save string
	preview := &cobra.Command{Use: "preview TEMPLATE", Short: "Render a template without sending it", Args: needs("a template"),
		Long: "Takes the texts of the project folder where it has the template, else the applied ones.",
		RunE: func(cmd *cobra.Command, args []string) error {
			body, err := r.body(cmd, a, args[0])
			if err != nil {
				return err
			}
			answer, err := a.call(cmd.Context(), request{method: "POST", path: "/v1/templates/" + url.PathEscape(args[0]) + "/preview", body: body})
			if err != nil {
				return err
			}
			var failed error
			err = print(a, answer, func(w io.Writer, seen struct {
				Subject, HTML, Text string
				TemplateID          string `json:"template_id"`
			}) {
				facts(w, "subject", seen.Subject, "kept at the vendor", seen.TemplateID)
				fmt.Fprintln(w, "\n"+seen.Text)
				if save != "" {
					if failed = os.WriteFile(filepath.Clean(save), []byte(seen.HTML), 0o600); failed == nil {
						fmt.Fprintf(a.err, "The HTML part is in %s.\n", save)
					}
				}
			})
			return errors.Join(err, failed)
		}}
	r.flags(preview)
	preview.Flags().StringVar(&save, "html", "", "write the HTML part into this file")
	return parent("template", "Look at templates", preview)
}

func (a *app) sendCommand() *cobra.Command {
	var r rendering
	var to, connection string
	test := &cobra.Command{Use: "test TEMPLATE --to ADDRESS", Short: "Send a rendered template to an address of yours", Args: needs("a template"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if to == "" {
				return usage("name an address of yours with --to")
			}
			body, err := r.body(cmd, a, args[0])
			if err != nil {
				return err
			}
			body["template"], body["to"] = args[0], to
			if connection != "" {
				body["connection"] = connection
			}
			return show(cmd.Context(), a, request{method: "POST", path: "/v1/send-test", body: body}, func(w io.Writer, sent struct{ Message, Connection, State string }) {
				fmt.Fprintf(w, "%s %s it as %s.\n", sent.Connection, sent.State, sent.Message)
			})
		}}
	r.flags(test)
	test.Flags().StringVar(&to, "to", "", "an address of yours")
	test.Flags().StringVar(&connection, "connection", "", "through which connection; default: the channel's")
	return parent("send", "Send tests", test)
}

// templateVariables reads --variables, numbers with all their digits.
func templateVariables(text string) (map[string]any, error) {
	var variables map[string]any
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&variables); err != nil || variables == nil {
		return nil, usage("--variables is not a JSON object")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, usage("--variables has something behind its JSON object")
	}
	return variables, nil
}
