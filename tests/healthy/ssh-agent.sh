export HOME="$PWD"
ssh-agent sh -c 'kill $SSH_AGENT_PID'
echo $?
ssh-agent sh -c 'ssh-add -l; ssh-agent -k >/dev/null; exit 4'
echo $?
eval "$(ssh-agent -s)" >/dev/null
ssh-add -l
ssh-agent -k >/dev/null
echo $?
