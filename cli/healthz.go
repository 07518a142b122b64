package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// healthTimeout is how long a healthy process may take to answer.
const healthTimeout = 5 * time.Second

// healthzCommand is for container images, which have no curl.
func (a *app) healthzCommand() *cobra.Command {
	var ready bool
	command := &cobra.Command{Use: "healthz [URL]", Short: "Ask a starter or a worker whether it is alive", Example: "  scrip healthz\n  scrip healthz http://127.0.0.1:8081 # a worker's worker.listen\n  scrip healthz --ready",
		Long: "For health checks of containers: prints one line, and exits with 0 where the process is\nwell and 1 where it isn't. Without a URL it asks SCRIP_URL. Needs no key.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("%s takes one URL; see `%s --help`", cmd.CommandPath(), cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			address := a.url
			if len(args) == 1 {
				address = args[0]
			}
			path := "/healthz"
			if ready {
				path = "/readyz"
			}
			return a.health(cmd.Context(), address, path)
		}}
	command.Flags().BoolVar(&ready, "ready", false, "ask whether it can take requests, which needs the database")
	return command
}

// health asks for path below address, unless address names a path itself.
func (a *app) health(ctx context.Context, address, path string) error {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Host == "" || (parsed.Scheme != "http" && parsed.Scheme != "https") {
		return usage("%q is not an address such as http://127.0.0.1:8080", address)
	}
	if strings.Trim(parsed.Path, "/") == "" {
		parsed.Path = path
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, parsed.String(), nil)
	if err != nil {
		return usage("%q is not an address such as http://127.0.0.1:8080", address)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if errors.Is(err, context.Canceled) {
		return errors.New("interrupted")
	}
	if err != nil {
		return fmt.Errorf("nobody answers at %s; look whether the process runs and listens there", parsed.Redacted())
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", parsed.Redacted(), response.Status)
	}
	if a.json {
		_, err = fmt.Fprintln(a.out, `{"status":"ok"}`)
	} else {
		_, err = fmt.Fprintln(a.out, "ok")
	}
	return err
}
