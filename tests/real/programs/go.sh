export GOCACHE="$PWD/cache" GOFLAGS=-mod=mod GOPATH="$PWD/path" GOTOOLCHAIN=local
printf 'module healthy\n\ngo 1.18\n' >go.mod
cat >main.go <<'C'
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"
)

func Run(words ...string) string {
	out, err := exec.Command(words[0], words[1:]...).Output()
	return fmt.Sprint(string(out), err)
}

func main() {
	fmt.Println(Run("echo", "hello"), Run("sh", "-c", "exit 3"))
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	fmt.Println(exec.CommandContext(ctx, "sleep", "100").Run())
	var all sync.WaitGroup
	for i := 0; i < 20; i++ {
		all.Add(1)
		go func() { defer all.Done(); exec.Command("true").Run() }()
	}
	all.Wait()
	child := exec.Command("cat")
	in, _ := child.StdinPipe()
	child.Stdout = os.Stdout
	child.Start()
	fmt.Fprintln(in, "through")
	in.Close()
	fmt.Println(child.Wait())
	process, _ := os.StartProcess("/bin/sleep", []string{"sleep", "100"}, &os.ProcAttr{})
	process.Kill()
	fmt.Println(process.Wait())
}
C
cat >main_test.go <<'C'
package main

import "testing"

func TestRun(t *testing.T) {
	for i := 0; i < 5; i++ {
		t.Run("sub", func(t *testing.T) {
			t.Parallel()
			if Run("echo", "x") != "x\n<nil>" {
				t.Fail()
			}
		})
	}
}
func TestFails(t *testing.T) { t.Fail() }
C
go run .
echo "run $?"
go test -run TestRun . | cut -f 1,2
go test . >/dev/null 2>&1
echo "test $?"
go vet .
echo "vet $?"
