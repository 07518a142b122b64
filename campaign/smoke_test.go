package campaign

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestSmoke(t *testing.T) {
	names, _ := filepath.Glob("/work/shared/campaigns/*.yaml")
	var files []*File
	for _, n := range names {
		src, _ := os.ReadFile(n)
		f, ps := Parse(filepath.Base(n), src)
		fmt.Println(filepath.Base(n), len(f.Campaigns), len(f.Coupons), len(f.Segments))
		fmt.Println(ps.Error())
		files = append(files, f)
		for _, c := range f.Campaigns {
			p, err := c.Compile(1)
			if err != nil {
				t.Fatal(err)
			}
			for i, s := range p.Plan.Steps {
				fmt.Printf("  %d %+v\n", i, s)
			}
			fmt.Printf("  %+v %v %v\n", p.Plan.Exits, p.Listens(), p.MatchFields())
		}
	}
	fmt.Println("LINK")
	fmt.Println(Link(files, Project{}).Error())
}
