# A forked copy closes the pipe at its exit.
open my $from, '-|', 'sh', '-c', 'sleep 0.3; echo piped; exit 5' or die;
my $pid = fork // die;
exit if !$pid;
waitpid $pid, 0;
print <$from>;
close $from;
print $? >> 8, "\n";
