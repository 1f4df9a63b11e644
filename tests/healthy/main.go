package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"
)

func main() {
	var many []*exec.Cmd
	for n := 0; n < 4; n++ {
		one := exec.Command("sh", "-c", fmt.Sprintf("sleep 0.%d; exit %d", n, n))
		if err := one.Start(); err != nil {
			panic(err)
		}
		many = append(many, one)
	}
	for _, one := range many {
		fmt.Println(one.Wait())
	}
	out, err := exec.Command("echo", "out").Output()
	fmt.Println(string(out), err)
	soon, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	fmt.Println(exec.CommandContext(soon, "sleep", "10").Run())
	killed := exec.Command("sleep", "10")
	killed.Start()
	killed.Process.Kill()
	fmt.Println(killed.Wait())
	fmt.Println(killed.Process.Signal(os.Interrupt))
	fmt.Println(exec.Command("/nonexistent/program").Run() != nil)
}
