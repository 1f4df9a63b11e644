mpi() { mpirun --allow-run-as-root --oversubscribe "$@"; }
export OMPI_MCA_plm_rsh_agent=false OMPI_MCA_btl=self,vader TMPDIR=$PWD
mpi -n 3 sh -c 'echo rank $OMPI_COMM_WORLD_RANK' | sort
mpi -n 2 sh -c 'exit 3' >/dev/null 2>&1
echo "mpirun $?"
