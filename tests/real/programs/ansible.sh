export HOME=$PWD ANSIBLE_LOCAL_TEMP=$PWD/tmp ANSIBLE_REMOTE_TEMP=$PWD/tmp ANSIBLE_NOCOLOR=1 LC_ALL=C.UTF-8
cat >play.yml <<'C'
- hosts: all
  connection: local
  gather_facts: false
  tasks:
    - command: echo hello
      register: said
    - debug: {var: said.stdout}
    - shell: sleep 1; exit 3
      async: 30
      poll: 1
      ignore_errors: true
    - shell: "false"
      ignore_errors: true
C
ansible-playbook -i 'a,b,c,' -f 2 play.yml >out 2>/dev/null
echo "playbook $?"
grep -c '"said.stdout": "hello"' out
sed -n '/RECAP/,$p' out | tr -s ' '
