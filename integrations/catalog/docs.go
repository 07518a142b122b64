package catalog

import (
	"fmt"
	"strings"
)

// Markdown writes the catalogue as docs/integrations.md has it.
func Markdown() string {
	var b strings.Builder
	b.WriteString(`# Integrations

What Scrip can be connected with. A connection stands in ` + "`scrip.yaml`" + ` under a name of your choice;
its webhooks come in at ` + "`/hooks/NAME`" + `, and where a vendor has topics at ` + "`/hooks/NAME/TOPIC`" + `.
Values like ` + "`${NAME}`" + ` are taken from the environment, so that secrets stay out of files.

Further keys of connections that call a vendor:

| key | default | what it is |
|---|---|---|
| ` + "`rate`" + ` | none | calls of this connection, as ` + "`10/s`, `600/m` or `5000/h`" + `; each process keeps to it by itself, so two workers make twice as many |
| ` + "`retry_on`" + ` | none | 5xx statuses with which this account is known to have taken nothing, as ` + "`[502]`" + `: such a call is made again, else its outcome counts as unknown |
| ` + "`base_url`" + ` | the vendor's | another address of its API |

This page is written from the catalogue; write it anew with ` + "`go test ./integrations/catalog -update`" + `.

| kind | vendor | what it does |
|---|---|---|
`)
	for _, d := range All() {
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s | %s |\n", d.Kind, d.Kind, d.Title, strings.Join(d.Does, "; "))
	}
	for _, d := range All() {
		fmt.Fprintf(&b, "\n## %s\n\n%s. [Vendor's documentation](%s)\n\n", d.Kind, d.Title, d.Docs)
		for _, does := range d.Does {
			fmt.Fprintf(&b, "- %s\n", does)
		}
		fmt.Fprintf(&b, "\n```yaml\n%s```\n", d.Example)
		if d.Setup != "" {
			fmt.Fprintf(&b, "\n%s", d.Setup)
		}
	}
	return b.String()
}
